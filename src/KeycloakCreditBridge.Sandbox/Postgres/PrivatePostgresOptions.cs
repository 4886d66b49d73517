namespace KeycloakCreditBridge.Sandbox.Postgres;

/// <param name="Folder">Where the server's own folder is made; with root as the caller, one that other users can enter.</param>
/// <param name="Durable">False gives up durability for speed: fsync, synchronous_commit and full_page_writes are off.</param>
/// <param name="MaxConnections">The server's max_connections.</param>
/// <param name="Report">Takes a line of progress to show, for example that PostgreSQL is being installed.</param>
internal sealed record PrivatePostgresOptions(string Folder, bool Durable = true, int MaxConnections = 300, Action<string>? Report = null);
