import { createServer } from "node:http";
import { metricsAnswer, metricsRegister } from "@heliograph/runtime";
import { Counter } from "prom-client";
import { inWorkers } from "../src/workers.ts";

/** A service that says which process answered, counts its answers and ends in order. */
await inWorkers(async () => {
  if (process.argv[2] === "refuses") process.exit(2);
  const answers = new Counter({ name: "answers", help: "Answers", registers: [metricsRegister] });
  const server = createServer((request, response) => {
    response.setHeader("connection", "close");
    if (request.url === "/metrics")
      return void metricsAnswer(undefined).then(({ body }) => response.end(body));
    answers.inc();
    response.end(String(process.pid));
  });
  server.listen(Number(process.env["HELIOGRAPH_PORT"]), "127.0.0.1");
  process.once("SIGTERM", () => server.close(() => process.exit(0)));
});
