import {
  type AsyncBuffer,
  type ColumnMetaData,
  type FileMetaData,
  parquetSchema,
  type RowGroup,
  type SchemaTree,
} from 'hyparquet';

/** Of one row group: bytes of the wanted columns once unpacked, values of one column, rows. */
const [MOST_BYTES, MOST_VALUES, MOST_ROWS] = [512 * 2 ** 20, 2 ** 25, 2 ** 21];

/**
 * Checks what a parquet file says of its size, before anything of it is unpacked: the footer's rows, and the header of
 * every page of the wanted columns, which have to lie one after the other in their column.
 * @throws Error that says which number is wrong; or which is too large, and what to do
 */
export async function checkParquetSizes(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: readonly string[],
): Promise<void> {
  const { children } = parquetSchema(metadata);
  const wanted = children.filter(({ element }) => columns.includes(element.name));
  const leaves = new Set(wanted.flatMap(leavesOf));
  const repeated = children.filter(({ element }) => element.repetition_type === 'REPEATED');
  const isList = new Set(repeated.map(({ element }) => element.name));
  const rows = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (rows !== Number(metadata.num_rows))
    throw new Error(`row groups of ${rows} rows in a file of ${metadata.num_rows}`);
  for (const [index, group] of metadata.row_groups.entries()) {
    const groupRows = Number(group.num_rows);
    within(groupRows, MOST_ROWS, `row group ${index}: rows`);
    requireLeaves(group, columns, leaves, `row group ${index}`);
    let bytes = 0;
    for (const { meta_data: column } of group.columns) {
      if (column === undefined || !columns.includes(column.path_in_schema[0]!)) continue;
      const where = `row group ${index}, column ${column.path_in_schema.join('.')}`;
      const found = await pagesOf(file, column, where);
      bytes += found.bytes;
      within(bytes, MOST_BYTES, `row group ${index}: bytes once unpacked`);
      const isFlat = column.path_in_schema.length === 1 && !isList.has(column.path_in_schema[0]!);
      if (found.values !== Number(column.num_values) || (isFlat && found.values !== groupRows)) {
        throw new Error(`${where}: ${found.values} values in its pages, ${column.num_values} in the footer`);
      }
    }
  }
}

/** Paths of the columns that hold values. */
function leavesOf({ children, path }: SchemaTree): readonly string[] {
  return children.length === 0 ? [path.join('.')] : children.flatMap(leavesOf);
}

/** The wanted columns of a row group have to be those of the schema, each once: of others the reader loses sight. */
function requireLeaves(
  { columns: stored }: RowGroup,
  columns: readonly string[],
  leaves: ReadonlySet<string>,
  where: string,
): void {
  const paths = stored.map(({ meta_data: column }) => column?.path_in_schema ?? []);
  const found = paths.filter(([name]) => name !== undefined && columns.includes(name)).map((path) => path.join('.'));
  const odd = found.find((path, at) => !leaves.has(path) || found.indexOf(path) !== at);
  if (odd !== undefined) throw new Error(`${where}: column ${odd} is not of the schema, or comes twice`);
  if (found.length < leaves.size) throw new Error(`${where}: ${found.length} of ${leaves.size} columns`);
}

function within(count: number, most: number, what: string): void {
  if (count >= 0 && count <= most) return;
  if (!(count > most)) throw new Error(`${what}: ${count} is no size`);
  throw new Error(`${what}: ${count}, at most ${most} can be read; write the file anew with smaller row groups`);
}

/** Bytes once unpacked, and values, of all pages of a column. */
async function pagesOf(file: AsyncBuffer, column: ColumnMetaData, where: string) {
  const start = Number(column.dictionary_page_offset || column.data_page_offset);
  const size = Number(column.total_compressed_size);
  within(start, file.byteLength, `${where}: first byte`);
  within(size, file.byteLength - start, `${where}: compressed size`);
  within(Number(column.num_values), MOST_VALUES, `${where}: values`);
  const view = new DataView(await file.slice(start, start + size));
  let [at, bytes, values] = [0, 0, 0];
  while (at < size) {
    const { header, end } = readStruct(view, at);
    const [type, unpacked, packed] = [1, 2, 3].map((field) => countIn(header, field));
    within(packed!, size - end, `${where}: compressed size of a page`);
    within(unpacked!, MOST_BYTES, `${where}: size of a page`);
    if (unpacked! < 0) throw new Error(`${where}: ${unpacked} is no size of a page`);
    const isDictionary = type === 2;
    const inner = header.get(isDictionary ? 7 : type === 3 ? 8 : 5);
    const count = countIn(inner, 1);
    within(count, MOST_VALUES, `${where}: values of a page`);
    if (!isDictionary) values += count;
    within(values, MOST_VALUES, `${where}: values`);
    bytes += unpacked!;
    at = end + packed!;
  }
  return { bytes, values };
}

/** Fields of a struct in Thrift's compact form, by number; those that are no numbers or structs are passed over. */
type Struct = ReadonlyMap<number, number | Struct | undefined>;

const countIn = (struct: number | Struct | undefined, field: number): number => {
  const value = struct instanceof Map ? struct.get(field) : undefined;
  return typeof value === 'number' ? value : Number.NaN;
};

const DEPTH = 16;

function readStruct(view: DataView, start: number, depth = 0): { readonly header: Struct; readonly end: number } {
  if (depth > DEPTH) throw new Error('a page header of too many levels');
  const header = new Map<number, number | Struct | undefined>();
  let [at, field] = [start, 0];
  for (;;) {
    const byte = view.getUint8(at);
    at += 1;
    if (byte === 0) return { header, end: at };
    if (byte >> 4 !== 0) field += byte >> 4;
    else [field, at] = readNumber(view, at);
    const element = readElement(view, at, byte & 15, depth);
    header.set(field, element.value);
    at = element.end;
  }
}

interface Element {
  readonly value: number | Struct | undefined;
  readonly end: number;
}

function readElement(view: DataView, at: number, type: number, depth: number): Element {
  switch (type) {
    case 1:
    case 2:
      return { value: undefined, end: at };
    case 3:
      return { value: view.getInt8(at), end: at + 1 };
    case 4:
    case 5:
    case 6: {
      const [value, end] = readNumber(view, at);
      return { value, end };
    }
    case 7:
      return { value: undefined, end: at + 8 };
    case 8: {
      const [length, end] = readVarint(view, at);
      return { value: undefined, end: end + length };
    }
    case 9:
      return readList(view, at, depth);
    case 12: {
      const { header: value, end } = readStruct(view, at, depth + 1);
      return { value, end };
    }
    default:
      throw new Error(`a page header with a field of type ${type}`);
  }
}

function readList(view: DataView, start: number, depth: number): Element {
  const first = view.getUint8(start);
  let [count, at] = first >> 4 === 15 ? readVarint(view, start + 1) : [first >> 4, start + 1];
  // Truth values take a byte in lists.
  const type = (first & 15) <= 2 ? 3 : first & 15;
  for (; count > 0; count--) at = readElement(view, at, type, depth + 1).end;
  return { value: undefined, end: at };
}

function readNumber(view: DataView, at: number): [value: number, end: number] {
  const [word, end] = readVarint(view, at);
  return [word % 2 === 0 ? word / 2 : -(word + 1) / 2, end];
}

function readVarint(view: DataView, start: number): [value: number, end: number] {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = view.getUint8(start + index);
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return [value, start + index + 1];
  }
  throw new Error('a page header with a number of too many bytes');
}
