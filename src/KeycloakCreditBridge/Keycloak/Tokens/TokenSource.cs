using System.Collections.Concurrent;
using KeycloakCreditBridge.Configuration.Secrets;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>
/// Access tokens of the bridge's client, one for each realm. Concurrent callers share one request, which a cancelled caller does not
/// end. A refused client is tried again after a growing pause, because Keycloak stores each refusal.
/// </summary>
internal sealed partial class TokenSource(
    TokenEndpoint endpoint, ClientProof proof, IOptions<KeycloakOptions> options, SecretRotation secrets, TimeProvider clock,
    ILogger<TokenSource> logger) : IAdminAccount
{
    private static readonly TimeSpan MaxMargin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MaxPause = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, RealmState> _realms = new(StringComparer.Ordinal);

    /// <summary>A token that is good for some time yet.</summary>
    /// <exception cref="KeycloakException">Keycloak gave none.</exception>
    public Task<string> GetAsync(string realm, CancellationToken cancellationToken)
    {
        // A realm that is not configured must not leave a state behind.
        _ = options.Value.Realm(realm);
        var state = _realms.GetOrAdd(realm, _ => new RealmState());
        lock (state.Gate)
        {
            if (state.Token is { } token && clock.GetUtcNow() < state.RenewAt)
                return Task.FromResult(token);
            // Another secret or key than the refused one is tried at once.
            if (state.Refusal is { } refusal && clock.GetUtcNow() < state.RetryAt && proof.StampOf(realm) == state.Refused)
                return Task.FromException<string>(refusal.WithRetryAt(state.RetryAt));
            state.PendingRequest ??= Start(realm, state);
            return state.PendingRequest.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Forgets a token that Keycloak did not accept, unless a newer one has taken its place.</summary>
    public void Invalidate(string realm, string token)
    {
        if (!_realms.TryGetValue(realm, out var state))
            return;
        lock (state.Gate)
            if (state.Token == token)
                state.Token = null;
    }

    public Exception TokenRefused(string realm) => new KeycloakErrors(realm, options.Value).TokenRefused();

    public Exception Forbidden(string realm, string request, string role) =>
        new KeycloakErrors(realm, options.Value).Forbidden(request, role);

    /// <summary>Has the next caller get a new token, which holds the roles that the client has by then.</summary>
    public void Invalidate(string realm)
    {
        if (!_realms.TryGetValue(realm, out var state))
            return;
        lock (state.Gate)
            state.Token = null;
    }

    private Task<string> Start(string realm, RealmState state)
    {
        var flight = Task.Run(() => RenewAsync(realm, state), CancellationToken.None);
        // When every caller was cancelled nothing observes the failure.
        _ = flight.ContinueWith(
            static done => done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return flight;
    }

    private async Task<string> RenewAsync(string realm, RealmState state)
    {
        var stamp = "";
        try
        {
            secrets.Refresh();
            stamp = proof.StampOf(realm);
            var asked = clock.GetUtcNow();
            var answer = await endpoint.RequestAsync(realm);
            StoreToken(state, answer, asked);
            LogRenewed(realm, answer.Lifetime);
            return answer.Token;
        }
        catch (KeycloakAuthenticationException refusal)
        {
            LogRefused(realm, StoreRefusal(state, refusal, stamp));
            throw;
        }
        finally
        {
            lock (state.Gate)
                state.PendingRequest = null;
        }
    }

    private static void StoreToken(RealmState state, IssuedToken answer, DateTimeOffset asked)
    {
        var margin = answer.Lifetime / 5 < MaxMargin ? answer.Lifetime / 5 : MaxMargin;
        lock (state.Gate)
        {
            state.Token = answer.Token;
            state.RenewAt = asked + answer.Lifetime - margin;
            state.Refusal = null;
            state.Refusals = 0;
        }
    }

    private DateTimeOffset StoreRefusal(RealmState state, KeycloakAuthenticationException refusal, string stamp)
    {
        lock (state.Gate)
        {
            var pause = FirstPause * Math.Pow(2, Math.Min(state.Refusals++, 10));
            (state.Refusal, state.Refused) = (refusal, stamp);
            return state.RetryAt = clock.GetUtcNow() + (pause < MaxPause ? pause : MaxPause);
        }
    }

    private sealed class RealmState
    {
        public Lock Gate { get; } = new();

        public Task<string>? PendingRequest { get; set; }

        public string? Token { get; set; }

        public DateTimeOffset RenewAt { get; set; }

        public KeycloakAuthenticationException? Refusal { get; set; }

        /// <summary>The stamp of what <see cref="Refusal"/> refused.</summary>
        public string? Refused { get; set; }

        public int Refusals { get; set; }

        public DateTimeOffset RetryAt { get; set; }
    }

    [LoggerMessage(EventId = 101, Level = LogLevel.Debug, Message = "Realm {Realm} issued a token for {Lifetime}.")]
    private partial void LogRenewed(string realm, TimeSpan lifetime);

    [LoggerMessage(
        EventId = 102, Level = LogLevel.Warning,
        Message = "Realm {Realm} refused the bridge's client. The bridge tries again at {RetryAt:u}.")]
    private partial void LogRefused(string realm, DateTimeOffset retryAt);
}
