import { MetaapoError } from '@metaapo/core/contracts';
import type { Session } from '@metaapo/engine';
import type { Tensor } from '@tensorflow/tfjs';

/** What is kept of a forward pass until its backward, beside the activations in the session. */
export interface PassTensors {
  /** `[M, hidden]`; owned by the pass. */
  readonly hidden: Tensor;
}

/** Names a forward pass. */
export interface PassTicket {
  readonly id: number;
}

/** The one forward pass that may wait for its backward. Whatever fails or is discarded leaves no tensor behind. */
export interface OpenPass<Pass extends PassTensors> {
  /** Computes a pass with `begin`, and with `finish` what its ticket tells. */
  forward<Told>(begin: () => Promise<Pass>, finish: (pass: Pass) => Promise<Told>): Promise<PassTicket & Told>;
  /** Ends the pass of a ticket with its backward. */
  backward(ticket: PassTicket, compute: (pass: Pass) => Promise<void>): Promise<void>;
  /** Ends the pass of a ticket without one. */
  discard(ticket: PassTicket): Promise<void>;
  dispose(): void;
}

/** No pass yet, on a session that has the program `clearKept`. */
export function createOpenPass<Pass extends PassTensors>(session: Session): OpenPass<Pass> {
  let open: (PassTicket & { readonly pass: Pass }) | undefined;
  let passes = 0;
  const end = (): void => {
    open?.pass.hidden.dispose();
    open = undefined;
  };
  const claim = ({ id }: PassTicket): Pass => {
    if (open?.id === id) return open.pass;
    throw new MetaapoError('internal', 'the forward pass is not open', { where: `ticket ${id}` });
  };
  const clearAfter = async <Result>(compute: Promise<Result>): Promise<Result> => {
    try {
      return await compute;
    } catch (error) {
      end();
      // What failed first is what the caller has to know.
      await session.run('clearKept', {}).catch(() => undefined);
      throw error;
    }
  };
  const compute = async <Told>(begin: () => Promise<Pass>, finish: (pass: Pass) => Promise<Told>) => {
    const pass = await begin();
    const id = ++passes;
    open = { id, pass };
    return { id, ...(await finish(pass)) };
  };
  return {
    async forward(begin, finish) {
      if (open !== undefined) {
        throw new MetaapoError('internal', 'a forward pass is still open', { where: `ticket ${open.id}` });
      }
      return clearAfter(compute(begin, finish));
    },
    async backward(ticket, computeBackward) {
      await clearAfter(computeBackward(claim(ticket)));
      end();
    },
    async discard(ticket) {
      claim(ticket);
      end();
      await session.run('clearKept', {});
    },
    dispose: end,
  };
}
