export { afterFile } from "./after-file.ts";
export { selfSignedCertificate } from "./certificate.ts";
export type { Template, TestDatabase } from "./database.ts";
export { stopOwnServer, testDatabase, testServer } from "./database.ts";
export { directoryDouble } from "./directory-double.ts";
export { freePort } from "./free-port.ts";
export type { ApiAnswer, ApiClient } from "./api-client.ts";
export { apiClient } from "./api-client.ts";
export type { Instance, InstanceFile, InstanceOptions } from "./instance.ts";
export {
  launchInstance,
  newDataDir,
  postgresProcesses,
  readInstance,
  removeDataDir,
  startInstance,
} from "./instance.ts";
export * from "./kafka/index.ts";
export { loosely } from "./loosely.ts";
export { networkLink, type NetworkLink, type NetworkWeather } from "./network-link.ts";
export { postgresPair, type PostgresPair } from "./postgres-pair.ts";
export {
  smscDouble,
  type Delivered,
  type SmscDouble,
  type SmscReaction,
  type Submitted,
} from "./providers/smpp.ts";
export { deliverFrame } from "./providers/smpp-wire.ts";
export type { SinkMessage, SmtpBehaviour, SmtpSink } from "./smtp-sink.ts";
export { smtpSink } from "./smtp-sink.ts";
export type { Exit, SpawnedService } from "./spawn-service.ts";
export { spawnProgram, spawnService } from "./spawn-service.ts";
export { until } from "./until.ts";
export type { SinkBehaviour, SinkRequest, WebhookSink } from "./webhook-sink.ts";
export { webhookSink } from "./webhook-sink.ts";
export { openapiCheck } from "./openapi-check.ts";
export { partnerIn, placedFeed } from "./placed-feed.ts";
export { tcpProxy } from "./tcp-proxy.ts";
export { testVault } from "./test-vault.ts";
export { runningCells } from "./running-cells.ts";
export { consumerOn, runConsumerHere } from "./run-consumer-here.ts";
export { startKannel } from "./kannel.ts";
export { programMissing } from "./required.ts";
export { telegramDouble, type TelegramDouble } from "./providers/telegram.ts";
export { apnsDouble, type ApnsDouble } from "./providers/apns.ts";
export { fcmDouble, type FcmDouble } from "./providers/fcm.ts";
export { twilioDouble, type TwilioDouble } from "./providers/twilio.ts";
export { whatsappDouble, type WhatsappDouble } from "./providers/whatsapp.ts";
export { s3Double } from "./s3-double.ts";
export { noteStatements, wholeReads } from "./whole-reads.ts";
