const image = "eventstore/eventstore:24.10";

/**
 * A real EventStoreDB where a Docker engine answers, in memory and without TLS; otherwise the reason why there is none, printed too.
 */
export async function realEventStore(): Promise<
  | { readonly connectionString: string; stop(): Promise<void>; readonly skip?: never }
  | { readonly skip: string; readonly connectionString?: never; readonly stop?: never }
> {
  try {
    const { GenericContainer, Wait } = await import("testcontainers");
    const container = await new GenericContainer(image)
      .withEnvironment({
        EVENTSTORE_INSECURE: "true",
        EVENTSTORE_MEM_DB: "true",
        EVENTSTORE_RUN_PROJECTIONS: "None",
      })
      .withExposedPorts(2113)
      .withWaitStrategy(Wait.forHttp("/health/live", 2113).forStatusCode(204))
      .withStartupTimeout(120_000)
      .start();
    return {
      connectionString: `esdb://${container.getHost()}:${container.getMappedPort(2113)}?tls=false`,
      stop: async () => void (await container.stop()),
    };
  } catch (error) {
    const skip = `no EventStoreDB: ${(error as Error).message.split("\n")[0]}`;
    process.stderr.write(`${skip}\n`);
    return { skip };
  }
}
