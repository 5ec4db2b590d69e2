import type { AddressInfo } from "node:net";
import express from "express";

/** The baseline: what an Express application does for a request before it does anything. */
const app = express();
app.use(express.json());
app.post("/messages", (request, response) => {
  response.status(202).json({
    id: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    status: "queued",
    channel: request.body.channel,
    cost_estimate: "0.012",
    created_at: new Date().toISOString(),
  });
});
app.get("/limits", (_request, response) => {
  response.status(200).json({
    policies: [
      { name: "requests", limit: 2_000, window_seconds: 10, remaining: 1_999, reset_seconds: 1 },
    ],
    recipient_rate: null,
    allowed_countries: null,
    status: "active",
  });
});
const server = app.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
