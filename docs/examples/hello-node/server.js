// Greets, and ends its open requests before it goes.
const express = require("express");

const app = express();
app.disable("x-powered-by");

app.get("/", (request, response) => {
  response.json({
    message: `${process.env.GREETING ?? "Hello"} from Express`,
    node: process.version,
    uptime_seconds: Math.round(process.uptime()),
  });
});

app.get("/healthz", (request, response) => {
  response.json({ status: "ok" });
});

const server = app.listen(process.env.PORT ?? 3000, "127.0.0.1");
process.once("SIGTERM", () => server.close());
