// Archives or restores in a process of its own, which a failpoint kills.
import { archivePostgresLog, restorePostgresLog } from "../src/index.ts";

const [verb, connection, archiveDir] = process.argv.slice(2) as [string, string, string];
const signal = new AbortController().signal;
const options = { connection: JSON.parse(connection), archiveDir, fileEvents: 400, signal };
if (verb === "archive") await archivePostgresLog({ ...options, through: 600n, evenRestored: true });
else await restorePostgresLog({ ...options, after: 0n });
