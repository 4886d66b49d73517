using System.Globalization;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Metering;

/// <summary>
/// Says whether a user may go on spending. A user without account is looked for in Keycloak and provisioned while the caller waits, so that
/// nobody is turned away for being new.
/// </summary>
internal sealed partial class CreditGate(
    GateStore store,
    FirstRead firstRead,
    HintWriter hints,
    Strangers strangers,
    MeteringMetrics metrics,
    IOptions<MeteringOptions> options,
    IOptions<KeycloakOptions> keycloak,
    TimeProvider clock,
    ILogger<CreditGate> logger)
{
    private readonly string[] _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];

    /// <param name="userId">Keycloak's id of the user or the account's; null when the call names none.</param>
    public async Task<GateVerdict> DecideAsync(string? userId, CancellationToken cancellationToken)
    {
        var verdict = await JudgeAsync(userId, cancellationToken);
        metrics.Decided(verdict.IsAllowed, verdict.Reason);
        return verdict;
    }

    /// <param name="account">What the user has; null where there is no account, and none may be opened.</param>
    public GateVerdict Decide(GatedAccount? account)
    {
        var verdict = account is null ? Unknown() : Judge(account);
        metrics.Decided(verdict.IsAllowed, verdict.Reason);
        return verdict;
    }

    private async Task<GateVerdict> JudgeAsync(string? userId, CancellationToken cancellationToken)
    {
        var rules = options.Value.Gate;
        if (string.IsNullOrEmpty(userId))
            return Ruled(rules.WithoutUser, "no_user", "The call names no user: use a key that belongs to one.");
        if (Intake.EventRules.ProblemWith(userId) is { } problem)
            return Ruled(rules.UnknownUser, "unknown_user", $"The user id {problem}.");
        try
        {
            if (await store.FindAsync(userId, _realms, cancellationToken) is { } account)
                return Judge(account);
            if (strangers.Know(userId))
                return Unknown();
            if (await TryProvisionAsync(userId, cancellationToken) is not { } isKnown)
                return Ruled(rules.Undecided, "undecided", "Nobody can say now whether you have credits: try again in a moment.");
            if (!isKnown)
                strangers.Remember(userId);
            return isKnown && await store.FindAsync(userId, _realms, cancellationToken) is { } opened ? Judge(opened) : Unknown();
        }
        catch (NpgsqlException exception)
        {
            LogUndecided(exception.Message);
            return Ruled(rules.Undecided, "undecided", "Nobody can say now whether you have credits: try again in a moment.");
        }
    }

    private static GateVerdict Judge(GatedAccount account) => account switch
    {
        { Status: "held" } => new(false, "held", "Your credit account is on hold."),
        { Status: "closed" } => new(false, "closed", "Your credit account is closed."),
        { Unlimited: true } or { CreditsRemaining: > 0m } => new(true, "credits", null),
        _ => new(false, "no_credits", NoCredits(account)),
    };

    private static string NoCredits(GatedAccount account) => account.PeriodEnd is { } end
        ? string.Create(CultureInfo.InvariantCulture, $"You have no credits left. Your period ends on {end:yyyy-MM-dd}.")
        : "You have no credits left.";

    private GateVerdict Unknown() => Ruled(options.Value.Gate.UnknownUser, "unknown_user", "You have no credit account.");

    private static GateVerdict Ruled(GateDecision decision, string reason, string words) => new(decision == GateDecision.Allow, reason, words);

    /// <summary>Whether Keycloak knows the user, whose account stands then; null when it could not say in time.</summary>
    private async Task<bool?> TryProvisionAsync(string userId, CancellationToken cancellationToken)
    {
        using var budget = new CancellationTokenSource(options.Value.Gate.Budget, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
        try
        {
            foreach (var realm in _realms)
                if (await firstRead.AskAsync(realm, userId, HintSources.Gateway, either.Token))
                    return true;
            return false;
        }
        catch (KeycloakProtocolException exception)
        {
            // Keycloak answered, and no such user.
            LogUndecided(exception.Message);
            return false;
        }
        catch (Exception exception) when (exception is KeycloakException || (budget.IsCancellationRequested && !cancellationToken.IsCancellationRequested))
        {
            LogUndecided(exception.Message);
            await hints.WriteAsync(
                [.. _realms.Select(realm => new UserHint(realm, userId, HintKind.Seen, "GATE", HintSources.Gateway))], cancellationToken);
            return null;
        }
    }

    [LoggerMessage(EventId = 855, Level = LogLevel.Warning, Message = "The gate could not decide about a user: {Reason}")]
    private partial void LogUndecided(string reason);
}

/// <param name="Reason">A word for metrics.</param>
/// <param name="Words">Why not, for the person who is refused.</param>
internal sealed record GateVerdict(bool IsAllowed, string Reason, string? Words);
