using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>Begins, finds and ends sessions. Roles are asked of Keycloak again when they are five minutes old.</summary>
internal sealed partial class SessionKeeper(
    PageSessionStore store, SessionCipher cipher, OperatorTokens tokens, PageCookies cookies, IOptions<PageOptions> page,
    IOptions<KeycloakOptions> keycloak, PageMetrics metrics, TimeProvider clock, ILogger<SessionKeeper> logger)
{
    private static readonly TimeSpan RolesLifetime = TimeSpan.FromMinutes(4.5);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(10);

    private readonly LogPace _pace = new(clock);
    private long _askAgainAt;

    /// <summary>Begins a session and gives the browser its cookie.</summary>
    public async Task BeginAsync(HttpContext context, SignedInUser user, CancellationToken cancellationToken)
    {
        var (cookie, now) = (SessionCipher.NewText(), clock.GetUtcNow());
        await store.AddAsync(
            new PageSession
            {
                IdHash = SessionCipher.HashOf(cookie),
                Subject = user.Subject,
                UserName = user.Name,
                KeycloakSession = user.KeycloakSession,
                Roles = user.Roles,
                RolesAt = now,
                FormToken = SessionCipher.NewText(),
                Tokens = Sealed(user),
                CreatedAt = now,
                SeenAt = now,
            },
            cancellationToken);
        cookies.Set(context, cookies.Session, cookie);
        metrics.SignedIn();
    }

    /// <summary>The operator of a request; null without a session, or when Keycloak ended it.</summary>
    public async Task<Operator?> FindAsync(HttpContext context)
    {
        if (context.Request.Cookies[cookies.Session] is not { Length: > 0 and < 100 } cookie)
            return null;
        var now = clock.GetUtcNow();
        var session = await store.FindAsync(
            SessionCipher.HashOf(cookie), now - page.Value.SessionIdle, now - page.Value.SessionLifetime, context.RequestAborted);
        if (session is not null && IsOld(session, now) && now.UtcTicks >= Volatile.Read(ref _askAgainAt))
            session = await RenewAsync(session, now, context.RequestAborted);
        if (session is null)
            return null;
        await store.SeenAsync(session.IdHash, now, context.RequestAborted);
        return new Operator(
            session.IdHash, session.Subject, session.UserName, tokens.Realm, [.. keycloak.Value.Realms.Select(realm => realm.Name)],
            session.Roles, session.FormToken);
    }

    /// <summary>Whether a session that was found before goes on.</summary>
    public async Task<bool> IsLiveAsync(Operator user, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return await store.FindAsync(
            user.Session, now - page.Value.SessionLifetime, now - page.Value.SessionLifetime, cancellationToken) is { } session
            && session.Roles.SequenceEqual(user.Roles, StringComparer.Ordinal);
    }

    /// <summary>Ends a session, and returns its ID token, by which Keycloak knows which of its sessions to end.</summary>
    public async Task<string?> EndAsync(HttpContext context, Operator user)
    {
        cookies.Remove(context, cookies.Session);
        var session = await store.FindAsync(user.Session, DateTimeOffset.MinValue, DateTimeOffset.MinValue, context.RequestAborted);
        await store.EndAsync(user.Session, context.RequestAborted);
        return session is null ? null : Opened(session)?.IdToken;
    }

    // Keycloak away: the session goes on with the roles that it last named, until its own end.
    private async Task<PageSession?> RenewAsync(PageSession session, DateTimeOffset now, CancellationToken cancellationToken)
    {
        try
        {
            return await store.RenewAsync(
                session.IdHash, found => IsOld(found, now), found => AskAsync(found, now, cancellationToken), cancellationToken);
        }
        catch (KeycloakException exception)
        {
            Volatile.Write(ref _askAgainAt, (now + PauseAfterFailure).UtcTicks);
            if (_pace.IsDue())
                LogNotRenewed(exception.Message);
            return session;
        }
    }

    private async Task<PageSession?> AskAsync(PageSession session, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (Opened(session) is not { Refresh: { } refresh, IdToken: var idToken })
            return null;
        var user = await tokens.RefreshAsync(refresh, session.Subject, cancellationToken);
        if (user.Problem is not null)
            return null;
        return session with
        {
            Roles = user.Roles, RolesAt = now, UserName = user.Name,
            Tokens = user.Tokens!.IdToken is null ? Sealed(user with { Tokens = user.Tokens with { IdToken = idToken } }) : Sealed(user),
        };
    }

    private static bool IsOld(PageSession session, DateTimeOffset now) => now - session.RolesAt >= RolesLifetime;

    private byte[] Sealed(SignedInUser user) => cipher.Encrypt($"{user.Tokens!.RefreshToken}\n{user.Tokens.IdToken}");

    private (string? Refresh, string? IdToken)? Opened(PageSession session) =>
        cipher.Decrypt(session.Tokens)?.Split('\n') is [var refresh, var idToken] ? (refresh, idToken) : null;

    [LoggerMessage(EventId = 1301, Level = LogLevel.Warning,
        Message = "Roles of operators could not be asked of Keycloak; their sessions go on with the roles that it last named: {Reason}")]
    private partial void LogNotRenewed(string reason);
}
