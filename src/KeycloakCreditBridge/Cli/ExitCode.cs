using System.Net.Sockets;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Cli;

/// <summary>What the process tells its caller. The help prints this list.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int SomeFailed = 1;
    public const int Usage = 2;
    public const int Unreachable = 3;

    /// <summary>128 and the number of SIGINT, as shells say it.</summary>
    public const int Stopped = 130;

    /// <summary>Which of them a failure is.</summary>
    public static int Of(Exception exception) => exception switch
    {
        ConfigurationException or OptionsValidationException or MigrationException => Usage,
        KeycloakAuthenticationException or KeycloakForbiddenException or KeycloakRealmNotFoundException or KeycloakDatabaseException => Usage,
        KeycloakUnavailableException => Unreachable,
        PostgresException { SqlState: "3D000" or "42501" } => Usage,
        PostgresException postgres when HasClass(postgres, "28") => Usage,
        PostgresException postgres when HasClass(postgres, "57") || HasClass(postgres, "53") || HasClass(postgres, "08") => Unreachable,
        PostgresException => SomeFailed,
        NpgsqlException or SocketException or TimeoutException => Unreachable,
        _ => SomeFailed,
    };

    private static bool HasClass(PostgresException exception, string sqlClass) =>
        exception.SqlState.StartsWith(sqlClass, StringComparison.Ordinal);
}
