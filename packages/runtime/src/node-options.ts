/**
 * What Node is given wherever the product is started. Scripts, units and the image say it again, because a shell or systemd reads them; tests hold them to it.
 * One helper thread less than there are cores, a heap that is collected as a whole at two and a half times what was in use, and Node's own code on large pages: docs/performance-measures.md.
 */
export const nodeOptions: readonly string[] = [
  "--v8-pool-size=0",
  "--heap-growing-percent=150",
  "--use-largepages=silent",
];
