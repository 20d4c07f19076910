import type { Value } from './values.js';

/** Arguments of a call, a filter or a test. */
export interface ArgumentNodes {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  readonly spread?: Expression | undefined;
  readonly spreadNamed?: Expression | undefined;
}

/** A filter with its input; the input is absent where a block is filtered. */
export interface FilterNode {
  readonly type: 'filter';
  readonly input: Expression | undefined;
  readonly name: string;
  readonly given: ArgumentNodes;
}

/** A call. */
export interface CallNode {
  readonly type: 'call';
  readonly callee: Expression;
  readonly given: ArgumentNodes;
}

/** What has a value. */
export type Expression =
  | { readonly type: 'constant'; readonly value: Value }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'list' | 'tuple' | 'concatenation'; readonly items: readonly Expression[] }
  | { readonly type: 'dict'; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly type: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly type: 'item'; readonly object: Expression; readonly key: Expression }
  | { readonly type: 'slice'; readonly object: Expression; readonly bounds: readonly (Expression | undefined)[] }
  | CallNode
  | FilterNode
  | { readonly type: 'test'; readonly input: Expression; readonly name: string; readonly given: ArgumentNodes }
  | { readonly type: 'not' | 'negative' | 'positive'; readonly operand: Expression }
  | { readonly type: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly type: 'binary'; readonly sign: string; readonly left: Expression; readonly right: Expression }
  | {
      readonly type: 'comparison';
      readonly first: Expression;
      readonly rest: readonly (readonly [string, Expression])[];
    }
  | {
      readonly type: 'conditional';
      readonly test: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | undefined;
    };

/** What can be assigned to. */
export type Target =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'attribute'; readonly namespace: string; readonly name: string }
  | { readonly type: 'tuple'; readonly items: readonly Target[] };

/** Parameters of a macro or of the body of a call block; a default is absent where the argument has none. */
export type ParameterNodes = readonly { readonly name: string; readonly otherwise: Expression | undefined }[];

/** What a template does. */
export type Statement =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'output'; readonly expression: Expression }
  | {
      readonly type: 'if';
      readonly branches: readonly { readonly test: Expression; readonly body: Body }[];
      readonly otherwise: Body;
    }
  | {
      readonly type: 'for';
      readonly target: Target;
      readonly items: Expression;
      readonly filter: Expression | undefined;
      readonly body: Body;
      readonly otherwise: Body;
    }
  | { readonly type: 'break' | 'continue' }
  | { readonly type: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly type: 'set block';
      readonly target: Target;
      readonly filter: FilterNode | undefined;
      readonly body: Body;
    }
  | { readonly type: 'macro'; readonly name: string; readonly parameters: ParameterNodes; readonly body: Body }
  | { readonly type: 'call block'; readonly call: CallNode; readonly parameters: ParameterNodes; readonly body: Body }
  | { readonly type: 'filter block'; readonly filter: FilterNode; readonly body: Body }
  | { readonly type: 'with'; readonly targets: readonly (readonly [Target, Expression])[]; readonly body: Body }
  | { readonly type: 'scope'; readonly body: Body };

/** Statements in order. */
export type Body = readonly Statement[];
