using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>Read-only connections to Keycloak's own database, if one is configured.</summary>
internal sealed class KeycloakDatabase(IOptions<KeycloakOptions> options) : IAsyncDisposable
{
    private const string SessionSettings =
        "-c default_transaction_read_only=on -c standard_conforming_strings=on -c jit=off -c work_mem=64MB -c " +
        "idle_in_transaction_session_timeout=60s";

    private readonly NpgsqlDataSource? _dataSource =
        options.Value.Database is { ConnectionString: { Length: > 0 } text } database
            ? NpgsqlDataSource.Create(Build(text, database.Password))
            : null;

    public bool IsConfigured => _dataSource is not null;

    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) =>
        (_dataSource ?? throw new KeycloakDatabaseException(
            $"No database is configured: set {KeycloakDatabaseOptions.Section}:ConnectionString, or choose another mode."))
        .OpenConnectionAsync(cancellationToken);

    public ValueTask DisposeAsync() => _dataSource?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static string Build(string text, string? password)
    {
        var builder = new NpgsqlConnectionStringBuilder(text) { MaxPoolSize = 8, NoResetOnClose = true };
        if (!string.IsNullOrEmpty(password))
            builder.Password = password;
        builder.ApplicationName ??= "keycloak-credit-bridge";
        if (!builder.ShouldSerialize("Timeout"))
            builder.Timeout = 5;
        builder.Options = $"{builder.Options} {SessionSettings}".TrimStart();
        return builder.ConnectionString;
    }
}

/// <summary>Keycloak's database must not or cannot be used: an operator must act.</summary>
internal sealed class KeycloakDatabaseException(string message) : Exception(
    $"Keycloak's database ({KeycloakDatabaseOptions.Section}): {message}");
