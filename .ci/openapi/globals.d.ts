declare const process: { env: object };
