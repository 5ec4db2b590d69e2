import { serveAlone } from "@heliograph/testkit/world";
import { service } from "../src/index.ts";

await serveAlone([service]);
