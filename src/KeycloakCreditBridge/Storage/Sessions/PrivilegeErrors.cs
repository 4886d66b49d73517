using System.Text.RegularExpressions;
using Npgsql;

namespace KeycloakCreditBridge.Storage.Sessions;

/// <summary>What to run where PostgreSQL refuses something for want of a privilege.</summary>
internal static partial class PrivilegeErrors
{
    /// <summary>The error's text, with the statement or command that gives the privilege.</summary>
    public static string Describe(Exception exception) => Cure(exception) is { } cure ? $"{exception.Message}: {cure}" : exception.Message;

    private static string? Cure(Exception exception)
    {
        if (exception is not PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } refused)
            return null;
        var match = Refused().Match(refused.MessageText);
        var name = match.Groups["name"].Value;
        return match.Groups["kind"].Value switch
        {
            "schema" => $"run `grant usage, create on schema {name} to ROLE` for the role that migrates, and `usage` for the one that runs",
            "database" => "run `create schema quartz authorization ROLE` as a superuser for the role that migrates, or "
                + $"`grant create on database {name} to ROLE`",
            "table" or "sequence" or "view" => $"run `KeycloakCreditBridge migrate --grant-to ROLE` as the owner of {name}",
            _ when Owner().Match(refused.MessageText) is { Success: true } owned =>
                $"run `alter table {owned.Groups["name"].Value} owner to ROLE` for the role that migrates",
            _ => "`KeycloakCreditBridge doctor` names the statements to run",
        };
    }

    [GeneratedRegex("^permission denied for (?<kind>[a-z]+) (?<name>.+)$")]
    private static partial Regex Refused();

    [GeneratedRegex("^must be owner of [a-z]+ (?<name>.+)$")]
    private static partial Regex Owner();
}
