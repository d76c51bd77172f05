export { applyExceptions, type Exception } from "./allowed.ts";
export { compareProblems, type Problem, problemToText } from "./problem.ts";
export { createProject, loadProject, type Project, type SourceFile } from "./project.ts";
