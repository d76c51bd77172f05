export { createSystemClock } from "./clock-node.ts";
export { createNodeDisk, type DiskFs } from "./disk-node.ts";
export { createSystemRandom } from "./random-node.ts";
