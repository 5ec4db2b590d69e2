import type { Route } from "../route.ts";

/** Every endpoint that does not send messages; each area is one file that exports its routes. */
export const routes: readonly Route[] = [];
