import type { Projector } from "@heliograph/runtime";
import { greetingWrites, namesDdl } from "./tables/names.ts";

/** Counts how often each name was greeted. */
export const greetingsProjector: Projector = {
  kind: "projector",
  name: "greetings",
  schema: "greetings",
  types: ["Greeted"],
  ddl: namesDdl,
  create: () => ({ project: greetingWrites }),
};
