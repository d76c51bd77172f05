export { type Certificate, canonicalSerial, type KeyUsage, parseCertificate } from "./certificate.ts";
export { type Breach, type Chain, type ChainDemands, checkChain, type GateRule, type GateSubject, type PeerUsage } from "./chain.ts";
export { type Crl, type CrlRequest, issueCrl, parseCrl, type Revocation, type RevocationReason } from "./crl.ts";
export { fingerprintWords } from "./fingerprint-words.ts";
export { checkCertificate, checkIssuingKey, GATE_MENDS, type GateFinding, type GateInput, gateFault } from "./gate.ts";
export { type HostName, parseHostName } from "./host-name.ts";
export {
  type Authority,
  createCsr,
  createIntermediate,
  createRoot,
  encodeChain,
  type IssuePorts,
  issueAgentLeaf,
  issueNodeLeaf,
  parseCertificatePem,
  recertify,
  spkiHashOfCertificate,
} from "./issue.ts";
export { createKeyPair, isPrivateKeyOf, type KeyPair, publicKeyOf, spkiHash } from "./key.ts";
export { lockPrivateKey, unlockPrivateKey } from "./key-file-node.ts";
export { type PeerChain, type PeerSocket, type PeerSocketCertificate, peerChainOf, type VerifiedPeer, verifyPeerChain } from "./peer-chain.ts";
export { encodePem, type PemLabel, parseOnePem, parsePem } from "./pem.ts";
export { CERTIFICATE_PROFILES, type CertificateProfile, DAY_MS, type ExtendedUsage } from "./profiles.ts";
export { checkNextRoot, type NextRoot } from "./root-change.ts";
export { asTlsProfileName, isLegacyTls, TLS_PROFILE_NAMES, type TlsPolicy, type TlsProfileName, type TlsVersion, tlsPolicy } from "./tls-policy.ts";
