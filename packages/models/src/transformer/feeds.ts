import { MetaapoError } from '@metaapo/core/contracts';
import type { FedTensor } from '@metaapo/engine';
import type { TileArrays, TilePieceArrays } from './attention-tiles.js';
import type { PackedLayout } from './layout.js';
import { angleFeeds } from './rotary.js';
import type { TransformerConfig } from './transformer-config.js';

/**
 * The arrays that the programs over a packed layout read, by input name.
 * @throws MetaapoError with code `data` for a token that the model has no row for
 */
export function feedsOf(layout: PackedLayout, config: TransformerConfig): Readonly<Record<string, FedTensor>> {
  for (const ids of [layout.tokens.data, layout.targets]) checkRows(ids, config.vocabularySize);
  return {
    tokens: layout.tokens,
    ...angleFeeds(layout.positions, config),
    segments: layout.segments,
    ...(layout.tiles === undefined ? {} : tileFeeds(layout.tiles)),
    predictingRows: layout.predictingRows,
  };
}

/** What a backend reads of a row that is not there differs: an error, zeros, or another row. */
function checkRows(ids: Int32Array, rows: number): void {
  const outside = ids.find((id) => id < 0 || id >= rows);
  if (outside === undefined) return;
  throw new MetaapoError('data', `token ${outside} has no row in the model`, {
    where: 'a pass of the model',
    expected: `ids from 0 to ${rows - 1}`,
    got: `${outside}`,
    remedy: 'Leave the token out of texts and templates, or add its row to the embeddings in Python',
  });
}

function tileFeeds({ queryRows, slots, pieces }: TileArrays): Readonly<Record<string, FedTensor>> {
  return { queryRows, slots, ...Object.fromEntries(pieces.flatMap(pieceFeeds)) };
}

function pieceFeeds({ queryPositions, keyPositions, keyRows }: TilePieceArrays, at: number): [string, FedTensor][] {
  return [
    [`queryPositions${at}`, queryPositions],
    [`keyPositions${at}`, keyPositions],
    [`keyRows${at}`, keyRows],
  ];
}
