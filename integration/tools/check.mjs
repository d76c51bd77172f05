/** `npm run check`: format, lint, types, tidy, and the unit tests on every runtime, from turbo's cache where nothing changed. */
import { bootstrap } from "./bootstrap.mjs";
import { close, runStaticSteps, runUnitTests } from "./gate.mjs";

bootstrap();
const failedSteps = await runStaticSteps();
close(await runUnitTests({ force: false }), failedSteps);
