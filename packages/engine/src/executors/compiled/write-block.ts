import { symbolsOf } from '../../program/index.js';
import type { BlockForm } from './block-form.js';
import { createFunctionWriter, type FunctionWriter } from './function-writer.js';
import { attribute, controlEdge, type GraphWriter, type Output } from './graph-writer.js';
import { createFunctionBodyWriter, type ProgramWriter } from './program-writer.js';
import {
  createStateWriter,
  type Presence,
  type StateWriter,
  type TouchedState,
  type Variables,
} from './state-writer.js';
import { type NodeContext, writeNode } from './write-node.js';

/** Functions of a graph, one for all blocks that are alike. */
export interface BlockFunctions {
  /** Writes a call that computes the block. */
  call(form: BlockForm, context: NodeContext): void;
}

/** How the functions are run: operation by operation, or each as one computation of XLA. */
export type FunctionTarget = 'operations' | 'xla';

/** What an argument of a function is in the block that is called: its n-th input or state, or a size. */
type Argument =
  | { readonly kind: 'input' | 'state'; readonly position: number }
  | { readonly kind: 'size'; readonly symbol: string };

/** The attribute of a function, and of its calls, that keeps the runtime from taking it apart. */
const HOW_TO_RUN: Readonly<Record<FunctionTarget, string>> = { operations: '_noinline', xla: '_XlaMustCompile' };

interface BlockFunction {
  readonly name: string;
  readonly arguments: readonly Argument[];
  /** By position. */
  readonly touched: readonly Omit<TouchedState, 'name'>[];
  /** How many of its operations compute. */
  readonly operations: number;
  /** Whether it has updates, which wait for one another, see {@link NodeContext}. */
  readonly updates: boolean;
}

/** No functions yet. */
export function createBlockFunctions(
  graph: GraphWriter,
  variables: Variables,
  target: FunctionTarget = 'operations',
): BlockFunctions {
  const functions = new Map<string, BlockFunction>();
  const functionOf = (form: BlockForm, context: NodeContext): BlockFunction => {
    const presence = form.states.map(({ name }) => context.states.presenceOf(name));
    const key = `${form.key}\nbegins ${presence}`;
    const own = { form, presence, target, rowReads: context.rowReads };
    const known = functions.get(key) ?? writeFunction(graph, `block${functions.size}`, own);
    functions.set(key, known);
    return known;
  };
  return {
    call(form, context) {
      const { name, arguments: given, touched, updates, operations } = functionOf(form, context);
      const { writer, states } = context;
      const resolve = (argument: Argument): Output => {
        if (argument.kind === 'size') return writer.dimension(argument.symbol);
        if (argument.kind === 'input') return writer.get(form.inputs[argument.position]!);
        return variables.handle(form.states[argument.position]!.name);
      };
      const dtypeOf = (argument: Argument) => argumentType(form, argument);
      const attributes = {
        Tin: attribute.types(given.map(dtypeOf)),
        Tout: attribute.types(form.outputs.map(({ dtype }) => dtype)),
        f: attribute.function(name),
        config: attribute.text(''),
        config_proto: attribute.text(''),
        executor_type: attribute.text(''),
        [HOW_TO_RUN[target]]: attribute.boolean(true),
      };
      context.launches.push({ computation: name, symbols: symbolsIn(form), operations });
      const own = touched.map((touch, position) => ({ ...touch, name: form.states[position]!.name }));
      writer.enter(form.nodes[0]!);
      states.call(own, (waits) => {
        const before = updates ? context.updates : [];
        const inputs = [...given.map(resolve), ...waits, ...before, ...form.after.flatMap(writer.waitsFor)];
        const called = writer.add('StatefulPartitionedCall', inputs, attributes);
        if (updates) context.updates = [controlEdge(called)];
        for (const { outputs } of form.nodes) for (const value of outputs) writer.conceal(value, called);
        for (const [at, value] of form.outputs.entries()) writer.set(value, at === 0 ? called : `${called}:${at}`);
        return called;
      });
    },
  };
}

/** What the sizes of a block depend on. */
function symbolsIn({ nodes, inputs, states }: BlockForm): readonly string[] {
  const own = nodes.flatMap(({ outputs }) => outputs);
  const symbols = [...own, ...inputs, ...states].flatMap(({ shape }) => shape.flatMap(symbolsOf));
  return [...new Set(symbols)].sort();
}

function argumentType(form: BlockForm, argument: Argument) {
  if (argument.kind === 'size') return 'int32';
  return argument.kind === 'state' ? 'resource' : form.inputs[argument.position]!.dtype;
}

interface FunctionSource {
  readonly form: BlockForm;
  /** What is known of each of its states when it is called. */
  readonly presence: readonly Presence[];
  readonly target: FunctionTarget;
  readonly rowReads: NodeContext['rowReads'];
}

function writeFunction(
  graph: GraphWriter,
  name: string,
  { form, presence, target, rowReads }: FunctionSource,
): BlockFunction {
  const body = createFunctionWriter(HOW_TO_RUN[target], graph.hasKernels);
  const { given, writer, variables } = writersOf(form, body, name);
  const positions = new Map(form.states.map((state, position) => [state.name, position]));
  const forXla = target === 'xla';
  const presenceOf = (state: string): Presence => presence[positions.get(state)!]!;
  const states = createStateWriter(writer, variables, { presence: presenceOf, forXla });
  const context: NodeContext = { writer, states, rowReads, forXla, launches: [], updates: [] };
  for (const node of form.nodes) writeNode(node, context);
  const results = form.outputs.map((value) => ({ output: writer.get(value), dtype: value.dtype }));
  graph.define(body.definition(name, results, [...new Set(states.effects())]));
  return {
    name,
    arguments: given,
    touched: touchedIn(form, states),
    operations: body.operations(),
    updates: context.updates.length > 0,
  };
}

/** Writers of a body, and the arguments that it turns out to need as it is written. */
function writersOf(
  form: BlockForm,
  body: FunctionWriter,
  name: string,
): { readonly given: readonly Argument[]; readonly writer: ProgramWriter; readonly variables: Variables } {
  const given: Argument[] = [];
  const outputs = new Map<string, Output>();
  const ask = (argument: Argument, key: string): Output => {
    const known = outputs.get(key);
    if (known !== undefined) return known;
    given.push(argument);
    const output = body.argument(argumentType(form, argument));
    outputs.set(key, output);
    return output;
  };
  const inputs = new Map(form.inputs.map((value, position) => [value, position]));
  const positions = new Map(form.states.map((state, position) => [state.name, position]));
  const writer: ProgramWriter = createFunctionBodyWriter(body, name, {
    value(value) {
      if (value.node.operation === 'constant')
        return writer.constant(value.node.attributes.data, value.shape as number[]);
      const position = inputs.get(value);
      return position === undefined ? undefined : ask({ kind: 'input', position }, `input ${position}`);
    },
    size: (symbol) => ask({ kind: 'size', symbol }, `size ${symbol}`),
  });
  const variables: Variables = {
    handle(state) {
      const position = positions.get(state)!;
      return ask({ kind: 'state', position }, `state ${position}`);
    },
    declaration: (state) => form.states[positions.get(state)!]!,
  };
  return { given, writer, variables };
}

/** What the function does to each state, by position. */
function touchedIn({ states }: BlockForm, written: StateWriter): BlockFunction['touched'] {
  const [required, changed, spent] = [new Set(written.required()), written.presence(), written.spent()];
  return states.map(({ name }) => ({
    isChanged: changed.has(name),
    isRequired: required.has(name),
    hasValue: changed.get(name) ?? true,
    isSpent: spent.has(name),
  }));
}
