using System.Net;
using System.Net.Http.Headers;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>
/// Takes deliveries of Keycloak's webhook plugins. It answers 2xx when the hint is committed or there is nothing to store, and 503 when
/// it could not be stored: plugins repeat a delivery that got an error, and lose one that got no answer.
/// </summary>
internal sealed partial class WebhookEndpoint(
    HintWriter writer,
    SchemaGate gate,
    WebhookAuthenticator sender,
    RefusalLog refusals,
    LostEventsSignal lostEvents,
    IntakeMetrics metrics,
    IOptions<KeycloakOptions> keycloak,
    IOptions<IntakeOptions> intake,
    TimeProvider clock,
    ILogger<WebhookEndpoint> logger)
{
    // Plugins set no timeout of their own: an answer that hangs would hold one of Keycloak's few sending threads.
    private static readonly TimeSpan StoreTimeout = TimeSpan.FromSeconds(10);

    private static readonly string[] MediaTypes = ["application/json", CloudEvent.MediaType];

    private readonly BodyBudget _unproven = new(intake.Value.Webhook.MaxUnprovenBytes);

    private int _storing = 1;

    /// <param name="context">The request.</param>
    /// <param name="realmName">The realm that the path names, or null where it names none.</param>
    public async Task<IResult> ReceiveAsync(HttpContext context, string? realmName)
    {
        try
        {
            var realm = RealmOf(realmName);
            CheckMediaType(context.Request, realm);
            return await AcceptAsync(await ReadAsync(context, realm), realm, context);
        }
        catch (DeliveryRefusedException refusal)
        {
            refusals.Add(refusal);
            if (refusal.Status == HttpStatusCode.ServiceUnavailable)
                context.Response.Headers.RetryAfter = "5";
            return TypedResults.Problem(refusal.Message, statusCode: (int)refusal.Status);
        }
    }

    private RealmOptions RealmOf(string? name)
    {
        var realms = keycloak.Value.Realms;
        if (name is null)
        {
            return realms.Count == 1
                ? realms[0]
                : throw new DeliveryRefusedException(
                    HttpStatusCode.NotFound, null, "realm_not_named",
                    "Several realms are configured: send to /webhooks/keycloak/{realm} and name one.");
        }

        return realms.Find(realm => realm.Name == name) ?? throw new DeliveryRefusedException(
            HttpStatusCode.NotFound, null, "unknown_realm", "This realm is not configured here.");
    }

    private static void CheckMediaType(HttpRequest request, RealmOptions realm)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !MediaTypes.Contains(type.MediaType, StringComparer.OrdinalIgnoreCase)
            || (type.CharSet is { } charset && !"utf-8".Equals(charset.Trim('"'), StringComparison.OrdinalIgnoreCase)))
        {
            throw new DeliveryRefusedException(
                HttpStatusCode.UnsupportedMediaType, realm.Name, "media_type", "Send application/json in UTF-8.");
        }

        if (!ContentEncoding.IsNone(request))
            throw new DeliveryRefusedException(
                HttpStatusCode.UnsupportedMediaType, realm.Name, "content_encoding", ContentEncoding.Refusal);
    }

    private async Task<Delivery> ReadAsync(HttpContext context, RealmOptions realm)
    {
        // Headers first: most of those who prove nothing cost no memory for a body.
        var proof = await sender.CheckHeadersAsync(context.Request.Headers, realm, context.RequestAborted);
        using var body = await ReceiveBodyAsync(context, realm);
        proof.Check(body.Bytes.Span);
        try
        {
            return DeliveryReader.Read(body.Bytes.Span, CloudEvent.EnvelopeOf(context.Request.Headers), realm.WebhookFormat);
        }
        catch (MalformedDeliveryException malformed)
        {
            throw new DeliveryRefusedException(HttpStatusCode.BadRequest, realm.Name, "malformed", malformed.Message);
        }
    }

    private async Task<RequestBody> ReceiveBodyAsync(HttpContext context, RealmOptions realm)
    {
        var limit = intake.Value.Webhook.MaxBodyBytes;
        try
        {
            return await RequestBody.ReadAsync(context.Request, limit, context.RequestAborted, _unproven)
                ?? throw new DeliveryRefusedException(
                    HttpStatusCode.RequestEntityTooLarge, realm.Name, "too_long", $"The body is longer than {limit} bytes.");
        }
        catch (BadHttpRequestException exception)
        {
            throw new DeliveryRefusedException(
                (HttpStatusCode)exception.StatusCode, realm.Name, "not_received", exception.Message);
        }
    }

    private async Task<IResult> AcceptAsync(Delivery delivery, RealmOptions realm, HttpContext context)
    {
        if (delivery.Realm is { } named && named != realm.Name)
        {
            throw new DeliveryRefusedException(
                HttpStatusCode.BadRequest, realm.Name, "wrong_realm",
                $"The body's 'realmName' is another realm than '{realm.Name}', which it was sent to.");
        }

        if (delivery.HintFor(realm.Name) is not { } hint)
        {
            metrics.DeliveryIgnored(realm.Name);
            return TypedResults.NoContent();
        }

        if (UserIds.ProblemWith(hint.UserId) is { } problem)
            throw new DeliveryRefusedException(HttpStatusCode.BadRequest, realm.Name, "user_id", $"The user id {problem}.");
        if (delivery.Admin is { } happened && EventRules.IsOverwrite(happened))
            lostEvents.Raise(realm.Name, EventRules.Overwritten);
        return await StoreAsync(hint, context);
    }

    private async Task<IResult> StoreAsync(UserHint hint, HttpContext context)
    {
        if (!gate.IsOpen)
            return NotStored(hint, context, "the schema is not ready yet");
        try
        {
            // Continues when the sender hangs up: a hint that is stored without an answer is at worst stored twice.
            await writer.WriteAsync([hint], CancellationToken.None).WaitAsync(StoreTimeout, clock, CancellationToken.None);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return NotStored(hint, context, PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "));
        }

        if (Interlocked.Exchange(ref _storing, 1) == 0)
            LogStoringAgain();
        metrics.DeliveryAccepted(hint.Realm);
        if (logger.IsEnabled(LogLevel.Debug))
            LogStored(hint);
        return TypedResults.NoContent();
    }

    private void LogStored(UserHint hint)
    {
        using var about = logger.About(hint.Realm, hint.UserId);
        LogStored(hint.Kind, hint.Cause);
    }

    private ProblemHttpResult NotStored(UserHint hint, HttpContext context, string reason)
    {
        if (Interlocked.Exchange(ref _storing, 0) == 1)
            LogNotStoring(reason);
        metrics.DeliveryNotStored(hint.Realm);
        context.Response.Headers.RetryAfter = "5";
        return TypedResults.Problem(
            "The event could not be stored now: send it again.", statusCode: (int)HttpStatusCode.ServiceUnavailable);
    }

    [LoggerMessage(
        EventId = 200,
        Level = LogLevel.Error,
        Message = "Webhooks are answered with 503, because their hints cannot be stored: {Reason}")]
    private partial void LogNotStoring(string reason);

    [LoggerMessage(EventId = 201, Level = LogLevel.Information, Message = "Webhooks are stored again.")]
    private partial void LogStoringAgain();

    [LoggerMessage(EventId = 203, Level = LogLevel.Debug, Message = "A webhook is stored as a hint: {Kind}, by {Cause}.")]
    private partial void LogStored(HintKind kind, string cause);
}
