/** The interpreter that starts a training server, or why there is none. */
export function serviceEnvironment():
  | { readonly python: string; readonly reason?: undefined }
  | { readonly python?: undefined; readonly reason: string };
