using KeycloakCreditBridge.Configuration.Secrets;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>Read-only connections to Keycloak's own database, if one is configured.</summary>
internal sealed class KeycloakDatabase(
    IOptions<KeycloakOptions> options, SecretRotation? secrets = null, ILogger<KeycloakDatabase>? logger = null) : IAsyncDisposable
{
    private readonly NpgsqlDataSource? _dataSource =
        options.Value.Database is { ConnectionString.Length: > 0 } database ? Build(database, secrets, logger) : null;

    public bool IsConfigured => _dataSource is not null;

    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) =>
        (_dataSource ?? throw new KeycloakDatabaseException(
            $"No database is configured: set {KeycloakDatabaseOptions.Section}:ConnectionString, or choose another mode."))
        .OpenConnectionAsync(cancellationToken);

    public ValueTask DisposeAsync() => _dataSource?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static NpgsqlDataSource Build(KeycloakDatabaseOptions database, SecretRotation? secrets, ILogger? logger)
    {
        var builder = new NpgsqlConnectionStringBuilder(database.ConnectionString) { MaxPoolSize = 8, NoResetOnClose = true };
        builder.ApplicationName ??= "keycloak-credit-bridge";
        if (!builder.ShouldSerialize("Timeout"))
            builder.Timeout = 5;
        var password = new RotatedPassword($"{KeycloakDatabaseOptions.Section}:ConnectionString", Read, logger);
        return SessionStore.Build(builder, SessionStore.KeycloakSql, string.IsNullOrEmpty(password.Read()) ? null : CurrentPassword);

        NpgsqlConnectionStringBuilder Read()
        {
            var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString);
            if (database.Password is { Length: > 0 } own)
                settings.Password = own;
            return settings;
        }

        string? CurrentPassword()
        {
            secrets?.Refresh();
            return password.Read();
        }
    }
}

/// <summary>Keycloak's database must not or cannot be used: an operator must act.</summary>
internal sealed class KeycloakDatabaseException(string message) : Exception(
    $"Keycloak's database ({KeycloakDatabaseOptions.Section}): {message}");
