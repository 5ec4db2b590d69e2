import { reactor, type Projector, type Reactor, type ServiceContext } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";

/** A projector as its loop runs it, for an owner of reactors: what a batch comes to is written with its position, and caches end with whoever has them. */
export function asReactor(make: (context: ServiceContext) => Projector): Reactor {
  const { name, schema, types } = make(loosely({}));
  return reactor({
    kind: "reactor",
    name,
    schema,
    types,
    migrations: [],
    async start({ context, checkpoint }) {
      const { position } = checkpoint;
      const pool = context.projectionPool;
      const instance = await make(context).create({ pool, schema, position });
      return {
        async handle(batch) {
          const { events } = batch;
          const parts = events.length === 0 ? [] : await instance.project(events);
          await checkpoint.commit(batch.position, parts);
          instance.committed?.(batch.position);
        },
        stop: async () => undefined,
      };
    },
  });
}
