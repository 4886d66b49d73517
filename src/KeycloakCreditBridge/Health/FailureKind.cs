using System.Net.Sockets;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Health;

/// <summary>What an operator can do about a failure.</summary>
internal enum FailureKind
{
    Other,

    /// <summary>A setting, a secret or a privilege has to be corrected.</summary>
    Misconfigured,

    /// <summary>PostgreSQL or Keycloak is away; the same again may succeed.</summary>
    Unreachable,
}

internal static class Failure
{
    public static FailureKind KindOf(Exception exception) => exception switch
    {
        ConfigurationException or OptionsValidationException or MigrationException => FailureKind.Misconfigured,
        KeycloakAuthenticationException or KeycloakForbiddenException or KeycloakRealmNotFoundException or KeycloakDatabaseException
            => FailureKind.Misconfigured,
        KeycloakUnavailableException => FailureKind.Unreachable,
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.InsufficientPrivilege }
            => FailureKind.Misconfigured,
        PostgresException postgres when HasClass(postgres, "28") => FailureKind.Misconfigured,
        PostgresException postgres when HasClass(postgres, "57") || HasClass(postgres, "53") || HasClass(postgres, "08")
            => FailureKind.Unreachable,
        PostgresException => FailureKind.Other,
        NpgsqlException or SocketException or TimeoutException => FailureKind.Unreachable,
        _ => FailureKind.Other,
    };

    private static bool HasClass(PostgresException exception, string sqlClass) =>
        exception.SqlState.StartsWith(sqlClass, StringComparison.Ordinal);
}
