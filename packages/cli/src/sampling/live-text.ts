/** Shows responses that grow at the same time one after the other: each from where it has got to when its turn comes. */
export interface LiveText {
  /** A response has grown; its text so far is asked for where it is that response's turn. */
  update(row: number, sample: number, textSoFar: () => string): void;
  /** The whole text of a response that is complete. */
  end(row: number, sample: number, text: string): void;
}

/**
 * Live text of these rows with so many responses each.
 * @param write told of what is to be shown; default the standard output
 */
export function createLiveText(
  rows: readonly number[],
  samples: number,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): LiveText {
  const order = rows.flatMap((row) => Array.from({ length: samples }, (_, sample) => `row ${row}, response ${sample}`));
  const complete = new Map<string, string>();
  let turn = 0;
  let shown = 0;
  const show = (name: string, text: string): void => {
    // A character that is not whole yet is shown when it is.
    const whole = complete.has(name) ? text : text.replace(/\uFFFD+$/, '');
    if (whole.length > shown && shown === 0) write(`--- ${name}\n`);
    if (whole.length > shown) write(whole.slice(shown));
    shown = Math.max(shown, whole.length);
  };
  const showComplete = (): void => {
    for (let name = order[turn]; name !== undefined && complete.has(name); name = order[turn]) {
      show(name, complete.get(name)!);
      write(shown === 0 ? `--- ${name}\n\n` : '\n');
      [turn, shown] = [turn + 1, 0];
    }
  };
  return {
    update(row, sample, textSoFar) {
      const name = `row ${row}, response ${sample}`;
      if (name === order[turn]) show(name, textSoFar());
    },
    end(row, sample, text) {
      complete.set(`row ${row}, response ${sample}`, text);
      showComplete();
    },
  };
}
