import type { RewardModel, Tracker } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeRewardModel, describeTracker } from '../src/index.js';
import { faultsOf } from './faults.js';

const score: RewardModel['score'] = async (requests) => Float32Array.from(requests, ({ response }) => response.length);
const REWARD: RewardModel = { id: 'sound', options: Object.freeze({}), fingerprint: 'sound 1', score };
const reward =
  (fault: Partial<RewardModel>): (() => RewardModel) =>
  () => ({ ...REWARD, ...fault });

let made = 0;

const REWARD_MUTANTS: readonly (readonly [name: string, create: () => RewardModel, fault: RegExp])[] = [
  ['one reward too few', reward({ score: async (r) => (await score(r)).slice(1) }), /rewards for 1 requests/],
  ['rewards in a plain array', reward({ score: async (r) => [...(await score(r))] as never }), /no Float32Array/],
  [
    'an infinite reward',
    reward({ score: async (r) => (await score(r)).fill(Number.POSITIVE_INFINITY) }),
    /is Infinity/,
  ],
  ['sorted rewards', reward({ score: async (r) => (await score(r)).sort() }), /do not follow the order/],
  [
    'rewards relative to the batch',
    reward({ score: async (r) => (await score(r)).map((x, _, all) => x / Math.max(...all, 1)) }),
    /alone and .* among others/,
  ],
  [
    'chance',
    reward({ score: async (r) => (await score(r)).map((x) => x + Math.random()) }),
    /another reward the second time/,
  ],
  [
    'a fingerprint of the object',
    () => ({ ...REWARD, fingerprint: `sound ${++made}` }),
    /two models of the same options have the fingerprints/,
  ],
  ['no fingerprint', reward({ fingerprint: '' }), /fingerprint is no text/],
];

describe('the kit for reward models', () => {
  it('passes a sound reward model', async () => {
    expect(await faultsOf((test) => describeRewardModel(test, () => REWARD))).toEqual(new Map());
  });

  it.each(REWARD_MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeRewardModel(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});

const TRACKER: Tracker = { id: 'sound', options: Object.freeze({}), log: () => undefined, close: () => undefined };
const tracker =
  (fault: Partial<Tracker>): (() => Tracker) =>
  () => ({ ...TRACKER, ...fault });

function opensOnLog(): Tracker {
  let isOpen = false;
  return {
    ...TRACKER,
    log: () => {
      isOpen = true;
    },
    close: () => {
      if (!isOpen) throw new Error('no file');
    },
  };
}

const TRACKER_MUTANTS: readonly (readonly [name: string, create: () => Tracker, fault: RegExp])[] = [
  [
    'a refusal of NaN',
    tracker({
      log: (_, metrics) => {
        if (Number.isNaN(metrics.loss)) throw new Error('bad');
      },
    }),
    /log\(1, loss NaN\) throws Error: bad/,
  ],
  [
    'steps that must rise',
    (() => () => {
      let last = 0;
      return {
        ...TRACKER,
        log: (step: number) => {
          if (step <= last) throw new Error('late');
          last = step;
        },
      };
    })(),
    /log\(2, .*\) throws Error: late/,
  ],
  [
    'a change of its metrics',
    tracker({
      log: (_, metrics) => {
        delete (metrics as Record<string, number>).loss;
      },
    }),
    /changes the metrics/,
  ],
  ['a close that needs a log', opensOnLog, /close after 0 steps throws Error: no file/],
  [
    'columns of the first step only',
    (() => () => {
      let width: number | undefined;
      return {
        ...TRACKER,
        log: (_: number, metrics: object) => {
          width ??= Object.keys(metrics).length;
          if (Object.keys(metrics).length > width) throw new Error('new column');
        },
      };
    })(),
    /201 metrics\) throws Error: new column/,
  ],
];

describe('the kit for trackers', () => {
  it('passes a sound tracker', async () => {
    expect(await faultsOf((test) => describeTracker(test, () => TRACKER))).toEqual(new Map());
  });

  it.each(TRACKER_MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeTracker(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
