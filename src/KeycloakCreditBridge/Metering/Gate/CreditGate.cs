using System.Collections.Concurrent;
using System.Globalization;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage.Sessions;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Metering.Gate;

/// <summary>
/// Decides whether a user may spend. A user without an account is read from Keycloak and provisioned while the caller waits, so that a new
/// user is not refused.
/// </summary>
internal sealed partial class CreditGate(
    GateStore store,
    FirstRead firstRead,
    HintWriter hints,
    NegativeCache unknownUsers,
    SchemaGate schema,
    MeteringMetrics metrics,
    Hot<MeteringOptions> options,
    IOptions<CreditsOptions> credits,
    IOptions<KeycloakOptions> keycloak,
    TimeProvider clock,
    ILogger<CreditGate> logger) : IDisposable
{
    private const int MostRequests = 64;

    private readonly LogPace _undecided = new(clock);
    private readonly string[] _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];

    // Many new users at once, and many realms, must not take all connections to Keycloak.
    private readonly SemaphoreSlim _requests = new(MostRequests);
    private readonly ConcurrentDictionary<string, Lazy<Task<bool?>>> _asked = new(StringComparer.Ordinal);

    // A call of the same user a moment later would wait for the same answer again; the hint is being written.
    private readonly NegativeCache _undecidedUsers = new(clock);

    /// <param name="userId">The user's Keycloak id or account id; null when the call names none.</param>
    public async Task<GateVerdict> DecideAsync(string? userId, CancellationToken cancellationToken)
    {
        using var span = Spans.Start("decide call", ("enduser.id", userId));
        var verdict = await EvaluateAsync(userId, cancellationToken);
        span?.SetTag("credits.decision", verdict.IsAllowed ? "allow" : "refuse").SetTag("credits.reason", verdict.Reason);
        metrics.RecordDecision(verdict.IsAllowed, verdict.Reason);
        if (logger.IsEnabled(LogLevel.Debug))
            LogDecided(userId, verdict);
        return verdict;
    }

    /// <param name="account">The account; null where there is none and none may be opened.</param>
    public GateVerdict Decide(GatedAccount? account)
    {
        var verdict = account is null ? UnknownUser(options.Current.Gate) : Evaluate(account);
        metrics.RecordDecision(verdict.IsAllowed, verdict.Reason);
        return verdict;
    }

    public void Dispose() => _requests.Dispose();

    private void LogDecided(string? userId, GateVerdict verdict)
    {
        using var about = logger.About(verdict.Realm, userId);
        LogDecided(verdict.IsAllowed, verdict.Reason);
    }

    private async Task<GateVerdict> EvaluateAsync(string? userId, CancellationToken cancellationToken)
    {
        var rules = options.Current.Gate;
        if (string.IsNullOrEmpty(userId))
            return ByRule(rules.WithoutUser, "no_user", "The call names no user: use a key that belongs to one.");
        if (UserIds.ProblemWith(userId) is { } problem)
            return ByRule(rules.UnknownUser, "unknown_user", $"The user id {problem}.");
        // Until accounts are adopted an account may stand under another id, and would be opened a second time.
        if (!schema.IsOpen)
            return Undecided(rules);
        using var budget = new CancellationTokenSource(rules.Budget, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
        try
        {
            return await FindOrProvisionAsync(rules, userId, either.Token, cancellationToken);
        }
        catch (Exception exception) when (exception is NpgsqlException || IsTimeout(exception, cancellationToken))
        {
            if (_undecided.IsDue())
                LogUndecided(PrivilegeErrors.Describe(exception));
            return Undecided(rules);
        }
    }

    private async Task<GateVerdict> FindOrProvisionAsync(
        GateOptions rules, string userId, CancellationToken inTime, CancellationToken cancellationToken)
    {
        var begun = clock.GetTimestamp();
        if (await FindAsync(userId, inTime) is { } account)
            return Evaluate(account);
        if (credits.Value.FirstRead == FirstReadMode.NotFound || unknownUsers.Contains(userId))
            return UnknownUser(rules);
        if (_undecidedUsers.Contains(userId))
            return Undecided(rules);
        var left = TimeSpan.FromTicks(Math.Max(0, (rules.Budget - clock.GetElapsedTime(begun)).Ticks));
        if (await ProvisionAsync(rules, userId, left).WaitAsync(cancellationToken) is not { } isKnown)
            return Undecided(rules);
        if (isKnown && await FindAsync(userId, inTime) is { } opened)
            return Evaluate(opened);
        unknownUsers.Add(userId);
        return UnknownUser(rules);
    }

    // A hanging connection notices a cancellation late.
    private Task<GatedAccount?> FindAsync(string userId, CancellationToken inTime) =>
        store.FindAsync(userId, _realms, inTime).WaitAsync(inTime);

    // A caller that has disconnected needs no answer.
    private static bool IsTimeout(Exception exception, CancellationToken caller) =>
        exception is TimeoutException || (exception is OperationCanceledException && !caller.IsCancellationRequested);

    private static GateVerdict Evaluate(GatedAccount account) => account switch
    {
        { Status: "held" } => new(false, "held", "Your credit account is on hold.") { Realm = account.Realm },
        { Status: "closed" } => new(false, "closed", "Your credit account is closed.") { Realm = account.Realm },
        { Unlimited: true } or { CreditsRemaining: > 0m } => new(true, "credits", null) { Realm = account.Realm },
        _ => new(false, "no_credits", NoCreditsMessage(account)) { Realm = account.Realm },
    };

    private static string NoCreditsMessage(GatedAccount account) => account.PeriodEnd is { } end
        ? string.Create(CultureInfo.InvariantCulture, $"You have no credits left. Your period ends on {end:yyyy-MM-dd}.")
        : "You have no credits left.";

    private static GateVerdict Undecided(GateOptions rules) =>
        ByRule(rules.Undecided, "undecided", "Your credits cannot be checked right now: try again in a moment.");

    private static GateVerdict UnknownUser(GateOptions rules) =>
        ByRule(rules.UnknownUser, "unknown_user", "You have no credit account.");

    private static GateVerdict ByRule(GateDecision decision, string reason, string message) =>
        new(decision == GateDecision.Allow, reason, message);

    /// <summary>
    /// Whether Keycloak has the user, who then has an account unless the rules give none; null without an answer in time. Calls of one user
    /// at the same time share the answer.
    /// </summary>
    private async Task<bool?> ProvisionAsync(GateOptions rules, string userId, TimeSpan budget)
    {
        var shared = _asked.GetOrAdd(userId, id => new Lazy<Task<bool?>>(() => TryProvisionAsync(rules, id, budget)));
        try
        {
            return await shared.Value;
        }
        finally
        {
            _asked.TryRemove(KeyValuePair.Create(userId, shared));
        }
    }

    private async Task<bool?> TryProvisionAsync(GateOptions rules, string userId, TimeSpan budget)
    {
        using var inTime = new CancellationTokenSource(budget, clock);
        List<RealmAnswer> unanswered = [];
        await foreach (var answer in Task.WhenEach(_realms.Select(realm => AskAsync(realm, userId, inTime.Token))))
        {
            var (_, isKnown, _) = await answer;
            if (isKnown is null)
                unanswered.Add(await answer);
            if (isKnown != true)
                continue;
            await inTime.CancelAsync();
            return true;
        }

        if (unanswered.Count == 0)
            return false;
        if (_undecided.IsDue())
            LogUndecided(
                $"{unanswered.Count} of {_realms.Length} realms did not answer, the first of them because: {unanswered[0].Problem}");
        // Before the hints are written: a slow database must not make each call ask all realms again.
        _undecidedUsers.Add(userId);
        await hints.WriteAsync(
                [.. unanswered.Select(asked => new UserHint(asked.Realm, userId, HintKind.Seen, "GATE", HintSources.Gateway))],
                CancellationToken.None)
            .WaitAsync(rules.Budget, clock);
        return null;
    }

    private async Task<RealmAnswer> AskAsync(string realm, string userId, CancellationToken inTime)
    {
        try
        {
            await _requests.WaitAsync(inTime);
            try
            {
                // Provisioning continues after the caller is answered.
                return new(
                    realm, await firstRead.ConvergeFromKeycloakAsync(realm, userId, HintSources.Gateway, inTime).WaitAsync(inTime), null);
            }
            finally
            {
                _requests.Release();
            }
        }
        catch (Exception exception) when (exception is KeycloakException || IsTimeout(exception, CancellationToken.None))
        {
            return new(realm, null, exception.Message);
        }
    }

    [LoggerMessage(
        EventId = 855, Level = LogLevel.Warning, Message = "The gate could not check a user and applies Metering:Gate:Undecided: {Reason}")]
    private partial void LogUndecided(string reason);

    [LoggerMessage(EventId = 858, Level = LogLevel.Debug, Message = "The gate decided a call: allowed {Allowed}, reason {Reason}.")]
    private partial void LogDecided(bool allowed, string reason);

    /// <param name="IsKnown">Whether the realm has the user; null without an answer in time.</param>
    private sealed record RealmAnswer(string Realm, bool? IsKnown, string? Problem);
}

/// <param name="Reason">The reason as a metric tag.</param>
/// <param name="Message">The reason for the refused user.</param>
internal sealed record GateVerdict(bool IsAllowed, string Reason, string? Message)
{
    /// <summary>The realm of the account's user; null where there is no account, or no user of it is known.</summary>
    public string? Realm { get; init; }
}
