import { gzipSync } from 'node:zlib';

/** The files of an adapter as SkyRL packs them: target modules left out, and an extended header before each file. */
export function adapterArchive(values: Float32Array): Buffer {
  const header = JSON.stringify({
    'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': {
      dtype: 'F32',
      shape: [values.length],
      data_offsets: [0, values.byteLength],
    },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const weights = Buffer.concat([length, Buffer.from(header), Buffer.from(values.buffer)]);
  const settings = JSON.stringify({
    peft_type: 'LORA',
    r: 8,
    lora_alpha: 32,
    target_modules: null,
    base_model_name_or_path: 'tiny',
  });
  return gzipSync(
    tarOf([
      ['adapter_config.json', Buffer.from(settings)],
      ['adapter_model.safetensors', weights],
    ]),
  );
}

/** A tar archive of files, each with a pax header before it. */
export function tarOf(files: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const record = (text: string): Buffer => {
    const length = text.length + 2 + String(text.length + 4).length;
    return Buffer.from(`${length} ${text}\n`);
  };
  const entries = files.flatMap(([name, content]) => [
    ...entryOf('pax_header', 'x', record('mtime=1.5')),
    ...entryOf(name, '0', content),
  ]);
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

function entryOf(name: string, type: string, content: Buffer): Buffer[] {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
