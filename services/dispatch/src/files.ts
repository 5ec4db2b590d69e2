import { attachmentsIn, contentOf, findAttachment, openedRow } from "@heliograph/attachments";
import type { GatewayTools } from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";

/** Reads attachments for gateways that send them themselves. Undefined for one that is gone, or was erased with its contact; throws where the store cannot be read. */
export function filesOf({
  pool,
  vault,
  settings,
}: Pick<ServiceContext, "pool" | "vault" | "settings">): NonNullable<GatewayTools["file"]> {
  const attachments = attachmentsIn(settings);
  return async (id, partner) => {
    const row = await findAttachment(pool, id, partner);
    if (row?.status !== "ready") return undefined;
    const opened = await openedRow(vault, row);
    if (opened === undefined) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of await contentOf(attachments, row, opened.key)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
}
