/** Version of the agent, as snapshots and `--version` name it. A test compares it with package.json. */
export const AGENT_VERSION = "0.1.0";
