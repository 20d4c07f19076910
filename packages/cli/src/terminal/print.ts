/** Writes a line of what a command was asked for; what it says of its work goes to the error output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);
