import type { Program } from '../../program/index.js';
import type { Launch } from './compilations.js';
import { attribute, type GraphWriter, type Output } from './graph-writer.js';
import { planItems } from './plan-items.js';
import { createProgramWriter, type DimensionFeed } from './program-writer.js';
import { createStateWriter, type Presence, type Variables } from './state-writer.js';
import type { BlockFunctions } from './write-block.js';
import { type NodeContext, readsOfRowsOnly, writeNode } from './write-node.js';

/** Where a written program is fed and what it is asked for. */
export interface WrittenProgram {
  /** Names of the operations begin with it. */
  readonly prefix: string;
  /** Placeholders by input. */
  readonly inputs: ReadonlyMap<string, Output>;
  readonly dimensions: DimensionFeed | undefined;
  /** By output name. */
  readonly outputs: ReadonlyMap<string, Output>;
  /** A scalar that exists once every effect has happened. */
  readonly done: Output;
  /** States that must have a value, zeros at first, before a run. */
  readonly required: readonly string[];
  /** Whether each state that a run changes has a value afterwards. */
  readonly presence: ReadonlyMap<string, boolean>;
  /** The functions that it calls. */
  readonly launches: readonly Launch[];
}

/** What a program is written into. */
export interface ProgramTarget {
  readonly graph: GraphWriter;
  readonly variables: Variables;
  readonly functions: BlockFunctions;
  /** How it is cut into what is written together; default {@link planItems}. */
  readonly plan?: typeof planItems;
}

/**
 * Writes a program into a graph; what is alike becomes calls of one function.
 * @param absent states that certainly have no value when it is run
 */
export function writeProgram(
  { graph, variables, functions, plan = planItems }: ProgramTarget,
  name: string,
  program: Program,
  absent: ReadonlySet<string> = new Set(),
): WrittenProgram {
  const { writer, dimensions } = createProgramWriter(graph, name, program);
  const presence = (state: string): Presence => (absent.has(state) ? 'absent' : 'unknown');
  const states = createStateWriter(writer, variables, { presence });
  const context: NodeContext = {
    writer,
    states,
    rowReads: readsOfRowsOnly(program),
    forXla: false,
    launches: [],
    updates: [],
  };
  for (const item of plan(program, context.rowReads)) {
    if (item.form === undefined) for (const node of item.nodes) writeNode(node, context);
    else functions.call(item.form, context);
  }
  const outputs = [...program.outputs].map(([key, value]): [string, Output] => {
    const type = value.dtype === 'bfloat16' ? 'float32' : value.dtype;
    const output = writer.cast(writer.get(value), value.dtype, type);
    return [key, graph.add('Identity', [output], { T: attribute.type(type) }, `${name}/outputs/${key}`)];
  });
  const done = graph.add(
    'Identity',
    [writer.integer(0), ...states.effects()],
    { T: attribute.type('int32') },
    `${name}/done`,
  );
  const inputs = [...program.inputs].map(([key, value]): [string, Output] => [key, writer.get(value)]);
  return {
    prefix: name,
    inputs: new Map(inputs),
    dimensions,
    outputs: new Map(outputs),
    done,
    required: states.required(),
    presence: states.presence(),
    launches: context.launches,
  };
}
