/** Lets a command work to its end when nobody reads what it prints any more (`npm run ops -- keys | head`): a closed pipe is no error of ours. */
export function allowClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
}
