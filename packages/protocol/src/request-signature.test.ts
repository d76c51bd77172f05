import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { describe, it } from "node:test";
import { type Bytes, base64ToBytes, bytesToBase64, bytesToHex, isFault, utf8, utf8ToText } from "@holdfast/base";
import { testId, testKey, testVerifier } from "@holdfast/testkit";
import { contentDigest, parseContentDigest, parseRequestSignature, type SignedRequest, signRequest } from "./request-signature.ts";

const device = testKey(2);
const NONCE = testId("nonce").slice(0, 16);
const CREATED_MS = 1_760_000_000_045;
const DIGEST = contentDigest(testVerifier.sha256(utf8("body")));
const PLAIN: SignedRequest = {
  method: "GET",
  authority: "Node.example:8443",
  target: "/v1/vaults/ab/changes?after=x%2E1",
  headers: { "holdfast-version": "1" },
};
const WITH_BODY: SignedRequest = {
  ...PLAIN,
  method: "POST",
  target: "/v1/vaults/ab/leases",
  headers: { "holdfast-version": "1", "content-length": "4", "content-digest": DIGEST },
};

function signed(request: SignedRequest): SignedRequest & { readonly headers: Readonly<Record<string, string | undefined>> } {
  const headers = signRequest(request, device.deviceId, CREATED_MS, NONCE, (base) => device.sign("request", base));
  return { ...request, headers: { ...request.headers, ...headers } };
}

/** Whether the node would take `request` as signed by the device. */
function verifies(request: SignedRequest): boolean {
  const { base, signature } = parseRequestSignature(request);
  return testVerifier.verify("request", device.publicKey, base, signature);
}

const isRefused = (request: SignedRequest): boolean => {
  try {
    return !verifies(request);
  } catch (error) {
    assert.ok(isFault(error, "denied"), String(error));
    return true;
  }
};

describe("request signatures", () => {
  it("sign the base that the rules of RFC 9421 §2.5 give, worked out by hand", () => {
    const request = { ...PLAIN, method: "GET", headers: { "holdfast-version": "1", range: "bytes=0-9", "user-agent": "x" } };
    const want = [
      '"@method": GET',
      '"@authority": node.example:8443',
      '"@path": /v1/vaults/ab/changes',
      '"@query": ?after=x%2E1',
      '"holdfast-version": 1',
      '"range": bytes=0-9',
      `"@signature-params": ("@method" "@authority" "@path" "@query" "holdfast-version" "range");created=1760000000.045;nonce="${bytesToHex(NONCE)}";keyid="${bytesToHex(device.deviceId)}";alg="ed25519"`,
    ].join("\n");
    let seen: Bytes | null = null;
    signRequest(request, device.deviceId, CREATED_MS, NONCE, (base) => {
      seen = base;
      return new Uint8Array(64);
    });
    assert.equal(utf8ToText(seen as unknown as Bytes), want);
    assert.equal(utf8ToText(parseRequestSignature(signed(request)).base), want);
  });

  it("cover body headers in their order, whatever order they stand in", () => {
    const headers = { "holdfast-lease": "00", "holdfast-records": DIGEST, "content-length": "9", "holdfast-version": "1" };
    const { headers: made } = signed({ ...PLAIN, method: "POST", target: "/v1/x", headers });
    assert.match(
      made["signature-input"] as string,
      /^hf=\("@method" "@authority" "@path" "@query" "holdfast-version" "content-length" "holdfast-records" "holdfast-lease"\);created=/,
    );
    assert.ok(
      (utf8ToText(parseRequestSignature({ ...PLAIN, method: "POST", target: "/v1/x", headers: made }).base) as string).includes('\n"@query": ?\n'),
      "no query is a lone question mark",
    );
  });

  it("come back with device, time and nonce", () => {
    const parsed = parseRequestSignature(signed(WITH_BODY));
    assert.deepEqual(parsed.device, device.deviceId);
    assert.equal(parsed.createdMs, CREATED_MS);
    assert.equal(parsed.nonce, bytesToHex(NONCE));
    assert.ok(verifies(signed(WITH_BODY)));
    assert.ok(verifies(signed(PLAIN)));
  });

  it("do not verify once anything that is covered has changed", () => {
    const request = signed({ ...WITH_BODY, target: "/v1/a?b=c", headers: { ...WITH_BODY.headers, range: "bytes=0-9", "holdfast-lease": "00" } });
    const changes: Partial<SignedRequest>[] = [
      { method: "PUT" },
      { authority: "other.example:8443" },
      { authority: "node.example" },
      { target: "/v1/A?b=c" },
      { target: "/v1/a?b=d" },
      { target: "/v1/a" },
      { target: "/v1/a?" },
    ];
    for (const change of changes) assert.ok(isRefused({ ...request, ...change }), JSON.stringify(change));
    for (const [name, value] of [
      ["holdfast-version", "2"],
      ["content-length", "5"],
      ["content-digest", contentDigest(testId("other"))],
      ["range", "bytes=0-8"],
      ["holdfast-lease", "01"],
    ]) {
      assert.ok(isRefused({ ...request, headers: { ...request.headers, [name as string]: value } }), name);
      assert.ok(isRefused({ ...request, headers: { ...request.headers, [name as string]: undefined } }), `without ${name}`);
    }
    assert.ok(verifies({ ...request, headers: { ...request.headers, "user-agent": "anything" } }), "what is not covered may change");
  });

  it("are refused with a header added that must be covered", () => {
    const request = signed(PLAIN);
    for (const [name, value] of [
      ["range", "bytes=0-9"],
      ["holdfast-lease", "00"],
      ["holdfast-records", DIGEST],
      ["content-digest", DIGEST],
      ["content-length", "0"],
      ["transfer-encoding", "chunked"],
    ]) {
      assert.throws(
        () => parseRequestSignature({ ...request, headers: { ...request.headers, [name as string]: value } }),
        (error) => isFault(error, "denied"),
        name,
      );
    }
  });

  it("are refused when the body, or the version, is outside the signature", () => {
    const without = (...names: string[]): SignedRequest =>
      signed({ ...WITH_BODY, headers: Object.fromEntries(Object.entries(WITH_BODY.headers).filter(([name]) => !names.includes(name))) });
    for (const request of [
      without("holdfast-version"),
      without("content-digest"),
      without("content-length"),
      signed({ ...WITH_BODY, headers: { ...WITH_BODY.headers, "holdfast-records": DIGEST } }),
    ]) {
      assert.throws(
        () => parseRequestSignature(request),
        (error) => isFault(error, "denied"),
      );
    }
    assert.ok(verifies(signed({ ...WITH_BODY, headers: { "holdfast-version": "1", "content-length": "0" } })), "no body needs no digest");
  });

  it("are refused when they are missing or written in another form", () => {
    const { headers } = signed(PLAIN);
    const input = headers["signature-input"] as string;
    const changed: Record<string, string | undefined>[] = [
      { signature: undefined },
      { "signature-input": undefined },
      { signature: (headers.signature as string).slice(0, -2) },
      { signature: (headers.signature as string).replace("hf=", "sig1=") },
      ...[
        input.replace("hf=", "sig1="),
        input.replace(".045", ""),
        input.replace(".045", ".45"),
        input.replace(";created", "; created"),
        input.replace('alg="ed25519"', 'alg="hmac-sha256"'),
        input.replace(';alg="ed25519"', ""),
        `${input};expires=1`,
        input.replace('"@method" ', ""),
        input.replace('"@method" "@authority"', '"@authority" "@method"'),
        input.replace(bytesToHex(NONCE), bytesToHex(NONCE).toUpperCase()),
        input.replace(bytesToHex(NONCE), bytesToHex(NONCE).slice(2)),
        `${input}, sig2=()`,
      ].map((value) => ({ "signature-input": value })),
    ];
    for (const change of changed)
      assert.throws(
        () => parseRequestSignature({ ...PLAIN, headers: { ...headers, ...change } }),
        (error) => isFault(error, "denied"),
        JSON.stringify(change),
      );
    for (const [from, to] of [
      ["1760000000.045", "1760000000.046"],
      [bytesToHex(NONCE), "0".repeat(32)],
      [bytesToHex(device.deviceId), "0".repeat(32)],
    ] as const) {
      assert.ok(isRefused({ ...PLAIN, headers: { ...headers, "signature-input": input.replace(from, to) } }), to);
    }
  });

  it("carry digests in one form", () => {
    assert.equal(
      contentDigest(testVerifier.sha256(utf8('{"hello": "world"}'))),
      "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
      "the example of RFC 9530, appendix D",
    );
    assert.deepEqual(parseContentDigest(DIGEST), testVerifier.sha256(utf8("body")));
    for (const wrong of [
      undefined,
      "",
      `sha-256=${bytesToBase64(testId("x"))}`,
      DIGEST.replace("sha-256", "sha-512"),
      DIGEST.replace("=:", ":"),
      `${DIGEST},${DIGEST}`,
      DIGEST.toUpperCase(),
    ]) {
      assert.throws(
        () => parseContentDigest(wrong),
        (error) => isFault(error, "denied"),
        wrong,
      );
    }
  });

  it("rest on the Ed25519 of RFC 9421 B.2.6: its published signature verifies over its base", () => {
    const base = [
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@method": POST',
      '"@path": /foo',
      '"@authority": example.com',
      '"content-type": application/json',
      '"content-length": 18',
      '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    ].join("\n");
    const signature = base64ToBytes("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==") as Bytes;
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" }, format: "jwk" });
    assert.ok(verify(null, utf8(base), key, signature));
    assert.ok(!verify(null, utf8(base.replace("POST", "PUT")), key, signature));
  });
});
