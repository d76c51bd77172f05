import { VaultFixture, randomFrame } from "./src/testing/vault-fixture.ts";
const v=await VaultFixture.create(); const frames=Array.from({length:48},()=>randomFrame(3,8_000_000));
const c0=process.cpuUsage(); const t=performance.now(); let i=0;
await Promise.all([0,1,2,3].map(async()=>{while(i<frames.length) await v.put([frames[i++]!], {pieceBytes:524288})}));
const c=process.cpuUsage(c0); console.log("store only MB/s",384/((performance.now()-t)/1000),"user",c.user/1e6,"sys",c.system/1e6);
await v[Symbol.asyncDispose](); process.exit(0);
