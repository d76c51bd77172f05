/** `npm test`: the gate with every unit test really run, the builds, and the integration suite. Ends with the sum of all tests. */
import { bootstrap } from "./bootstrap.mjs";
import { buildAll } from "./build.mjs";
import { close, runIntegrationTests, runStaticSteps, runUnitTests } from "./gate.mjs";
import { addCounts } from "./test-counts.mjs";

bootstrap();
const failedSteps = await runStaticSteps();
const unit = await runUnitTests({ force: true });
if (!(await buildAll())) failedSteps.push("build");
close(addCounts(unit, await runIntegrationTests()), failedSteps);
