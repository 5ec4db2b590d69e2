import {
  messageOf,
  openPool,
  type ServiceContext,
  SharedLimiter,
  takeFromBuckets,
} from "@heliograph/runtime";

/** A statement takes a third of a millisecond: what takes so much longer is not coming, and this copy goes on by itself. */
const patienceMs = 250;
/** One for the statement that is under way, one for the look whether the database is back. */
const connections = 2;

/** Opens the rates that the copies of dispatch share. Closing waits for what is given back. */
export function openSharedRates({ environment, connection, settings, logger }: ServiceContext): {
  readonly limiter: SharedLimiter;
  close(): Promise<void>;
} {
  const name = `${environment} gateway limits`;
  const pool = openPool(connection, { name, max: connections, durable: false, patienceMs }, logger);
  const limiter = new SharedLimiter({
    store: (asks) => takeFromBuckets(pool, asks),
    copies: settings.limitsCopies,
    blockMs: 0,
    onAway: (error) =>
      logger.warn(
        { environment, error: messageOf(error) },
        "the shared limits of gateways do not answer: this copy of dispatch uses its part of them by itself",
      ),
  });
  return { limiter, close: () => pool.end() };
}
