import type { FedTensor } from '@metaapo/engine';
import type { TilePartArrays } from './attention-tiles.js';
import type { PackedLayout } from './layout.js';
import { angleFeeds } from './rotary.js';
import type { TransformerConfig } from './transformer-config.js';

/** The arrays that the programs over a packed layout read, by input name. */
export function feedsOf(layout: PackedLayout, config: TransformerConfig): Readonly<Record<string, FedTensor>> {
  return {
    tokens: layout.tokens,
    ...angleFeeds(layout.positions, config),
    queryRows: layout.queryRows,
    slots: layout.slots,
    ...Object.fromEntries(layout.parts.flatMap(partFeeds)),
    predictingRows: layout.predictingRows,
  };
}

function partFeeds({ queryPositions, keyPositions, keyRows }: TilePartArrays, at: number): [string, FedTensor][] {
  return [
    [`queryPositions${at}`, queryPositions],
    [`keyPositions${at}`, keyPositions],
    [`keyRows${at}`, keyRows],
  ];
}
