/** What the response tokens of a datum carry under a name: `scale`, or `scale` times a value each. Prompt tokens carry 0. */
export interface TokenField {
  readonly scale: number;
  /** `[T]` a value for each response token; borrowed. */
  readonly values?: Float32Array | undefined;
}

/** A prompt with one response, as a request carries it; token ids are borrowed. */
export interface Datum {
  readonly prompt: Int32Array;
  readonly response: Int32Array;
  readonly fields: Readonly<Record<string, TokenField>>;
}

/** A pass over the model, with or without gradient. */
export interface PassRequest {
  readonly modelId: string;
  readonly sequence: number;
  readonly data: readonly Datum[];
  readonly lossName: string;
  readonly lossConfig?: Readonly<Record<string, number>> | undefined;
  /** True: no gradient is added up. */
  readonly isForwardOnly: boolean;
}

/** What a pass gave. */
export interface PassResult {
  /** For each datum `[P + T - 1]` float32: log p of every token after the first. */
  readonly logprobs: readonly Float32Array[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** One drawn response. */
export interface DrawnSequence {
  readonly tokens: Int32Array;
  /** `[tokens]` float32, before temperature and filters. */
  readonly logprobs: Float32Array;
  readonly stopReason: 'stop' | 'length';
}

/** A request's body and where it goes. */
export interface EncodedRequest {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** How passes and drawn responses are written and read. Everything else is JSON in every dialect. */
export interface Wire {
  readonly id: 'json' | 'protobuf';
  /** What results are asked for as. */
  readonly accept: string;
  /** Bytes that a datum takes, roughly. */
  sizeOf(datum: Datum): number;
  encodePass(request: PassRequest): EncodedRequest;
  /** @throws Error for bytes that are no such result */
  decodePass(body: Buffer): PassResult;
  /** @throws Error for bytes that are no such result */
  decodeSamples(body: Buffer): readonly DrawnSequence[];
}

/** Number of tokens that a datum's passes give log-probabilities for. */
export const tokensOfDatum = ({ prompt, response }: Pick<Datum, 'prompt' | 'response'>): number =>
  prompt.length + response.length - 1;
