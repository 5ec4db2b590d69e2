/** What whoever waits at the terminal reads. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);
