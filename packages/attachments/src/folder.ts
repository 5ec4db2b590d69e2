import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AttachmentStore } from "./store.ts";

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isMissing = (error: unknown): boolean => (error as { code?: string }).code === "ENOENT";

/** Bytes in a folder: synced, then renamed into place, so that a name that is there stands for all of them. `root` and the files that are put are on one file system. */
export function folderStore(root: string): AttachmentStore {
  // The last characters of a name are random: 256 folders.
  const pathOf = (name: string): string => join(root, name.slice(-2), name);
  return {
    async put(name, file) {
      const path = pathOf(name);
      await sync(file);
      await mkdir(dirname(path), { recursive: true });
      await rename(file, path);
      await sync(dirname(path));
    },
    async get(name) {
      try {
        const handle = await open(pathOf(name), "r");
        // Closes the file at its end, and when it is no longer read.
        return handle.createReadStream();
      } catch (error) {
        if (!isMissing(error)) throw error;
        // Without the folder itself nothing is known of its files: it is not mounted here.
        await access(root);
        return undefined;
      }
    },
    remove: (name) => rm(pathOf(name), { force: true }),
  };
}
