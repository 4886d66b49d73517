using System.Collections.Concurrent;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Health;

/// <summary>
/// Checks every minute whether the bridge may read what it needs of every realm. A missing role is reported before it costs a user the
/// account: Keycloak may answer empty lists to a client that lacks a role.
/// </summary>
internal sealed partial class AccessMonitor(
    KeycloakClient keycloak,
    TokenSource tokens,
    IOptions<KeycloakOptions> options,
    IOptions<IntakeOptions> intake,
    TimeProvider clock,
    ILogger<AccessMonitor> logger) : BackgroundService
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMinutes(1);

    // Empty for a realm without problems; a realm that could not be asked yet has no entry.
    private readonly ConcurrentDictionary<string, string> _problems = new(StringComparer.Ordinal);

    /// <summary>
    /// What an operator must correct in a realm, or null. A Keycloak that is unreachable for a while changes nothing here.
    /// </summary>
    public string? ProblemOf(string realm) =>
        _problems.TryGetValue(realm, out var problem) ? problem is "" ? null : problem : "What the client may read is not known yet";

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(options.Value.Realms.Select(realm => WatchAsync(realm.Name, stoppingToken)));

    private async Task WatchAsync(string realm, CancellationToken stoppingToken)
    {
        var loop = new BackgroundLoop(clock, CheckInterval, (exception, _) => Failed(realm, exception));
        await loop.RunAsync(
            async token =>
            {
                await keycloak.CheckAccessAsync(realm, intake.Value.Poll.Enabled, token);
                Record(realm, "");
            },
            CheckInterval,
            stoppingToken);
    }

    private void Failed(string realm, Exception exception)
    {
        // Roles are part of the token: a role that is granted from now on is only in the next one.
        if (exception is KeycloakForbiddenException)
            tokens.Invalidate(realm);
        if (
            exception is KeycloakForbiddenException or KeycloakAuthenticationException or KeycloakRealmNotFoundException
                or KeycloakEventStoreException)
            Record(realm, exception.Message);
        else
            LogUnknown(realm, exception.Message);
    }

    private void Record(string realm, string problem)
    {
        var before = _problems.GetValueOrDefault(realm, "");
        _problems[realm] = problem;
        if (before == problem)
            return;
        if (problem.Length > 0)
            LogProblem(realm, problem);
        else
            LogRestored(realm);
    }

    [LoggerMessage(EventId = 630, Level = LogLevel.Error, Message = "The bridge cannot work in realm '{Realm}': {Problem}")]
    private partial void LogProblem(string realm, string problem);

    [LoggerMessage(EventId = 631, Level = LogLevel.Information, Message = "The bridge can now read all that it needs of realm '{Realm}'.")]
    private partial void LogRestored(string realm);

    [LoggerMessage(EventId = 632, Level = LogLevel.Debug, Message = "What the bridge may read of realm '{Realm}' is not known: {Reason}")]
    private partial void LogUnknown(string realm, string reason);
}
