import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";

/** `npm run bundle -- --out dist --without-postgres` */
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(import.meta.dirname, "../../dist") },
    "without-postgres": { type: "boolean", default: false },
  },
});
const { file, bytes } = await bundle(values.out, { postgres: !values["without-postgres"] });
console.log(`${file}: ${(bytes / 1_048_576).toFixed(1)} MB. Start it with: node ${file}`);
