using System.Net;
using System.Net.Http.Headers;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>
/// Takes deliveries of Keycloak's webhook plugins. It answers 2xx when the user's account or the hint is committed or there is
/// nothing to store, and 503 when neither could be: plugins repeat a delivery that got an error, and lose one that got no answer.
/// </summary>
internal sealed partial class WebhookEndpoint(
    HintWriter writer,
    SchemaGate gate,
    WebhookAuthenticator sender,
    RefusalLog refusals,
    DeliveryRecorder deliveries,
    LostEventsSignal lostEvents,
    IntakeMetrics metrics,
    IOptions<KeycloakOptions> keycloak,
    IOptions<IntakeOptions> intake,
    TimeProvider clock,
    ILogger<WebhookEndpoint> logger,
    HintConverger? converger = null)
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
        var arrival = deliveries.Begin();
        try
        {
            var realm = RealmOf(realmName);
            CheckMediaType(context.Request, realm);
            return await AcceptAsync(await ReadAsync(context, realm, arrival), realm, context, arrival);
        }
        catch (DeliveryRefusedException refusal)
        {
            refusals.Add(refusal);
            arrival?.Realm = refusal.Realm ?? "";
            deliveries.End(arrival, context, DeliveryOutcomes.Refused, refusal.Reason);
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
                    HttpStatusCode.NotFound, null, RefusalReasons.RealmNotNamed,
                    "Several realms are configured: send to /webhooks/keycloak/{realm} and name one.");
        }

        return realms.Find(realm => realm.Name == name) ?? throw new DeliveryRefusedException(
            HttpStatusCode.NotFound, null, RefusalReasons.UnknownRealm, "This realm is not configured here.");
    }

    private static void CheckMediaType(HttpRequest request, RealmOptions realm)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !MediaTypes.Contains(type.MediaType, StringComparer.OrdinalIgnoreCase)
            || (type.CharSet is { } charset && !"utf-8".Equals(charset.Trim('"'), StringComparison.OrdinalIgnoreCase)))
        {
            throw new DeliveryRefusedException(
                HttpStatusCode.UnsupportedMediaType, realm.Name, RefusalReasons.MediaType, "Send application/json in UTF-8.");
        }

        if (!ContentEncoding.IsNone(request))
            throw new DeliveryRefusedException(
                HttpStatusCode.UnsupportedMediaType, realm.Name, RefusalReasons.ContentEncoding, ContentEncoding.Refusal);
    }

    private async Task<Delivery> ReadAsync(HttpContext context, RealmOptions realm, Arrival? arrival)
    {
        // Headers first: most of those who prove nothing cost no memory for a body.
        var proof = await sender.CheckHeadersAsync(context.Request.Headers, realm, context.RequestAborted);
        using var body = await ReceiveBodyAsync(context, realm);
        proof.Check(body.Bytes.Span);
        arrival?.IsProven = proof.ProvesSender;
        try
        {
            var envelope = CloudEvent.EnvelopeOf(context.Request.Headers);
            return Checked(DeliveryReader.Read(body.Bytes.Span, envelope, realm.WebhookFormat), realm);
        }
        catch (MalformedDeliveryException malformed)
        {
            arrival?.Body = DeliveryBody.Of(body.Bytes.Span, realm.WebhookSecrets);
            throw new DeliveryRefusedException(HttpStatusCode.BadRequest, realm.Name, malformed.Reason, malformed.Message);
        }
    }

    private static Delivery Checked(Delivery delivery, RealmOptions realm)
    {
        if (delivery.Realm is { } named && named != realm.Name)
        {
            throw new MalformedDeliveryException($"The body's 'realmName' is another realm than '{realm.Name}', which it was sent to.")
            {
                Reason = RefusalReasons.WrongRealm,
            };
        }

        _ = delivery.UsableHintFor(realm.Name, HintSources.Webhook);
        return delivery;
    }

    private async Task<RequestBody> ReceiveBodyAsync(HttpContext context, RealmOptions realm)
    {
        var limit = intake.Value.Webhook.MaxBodyBytes;
        try
        {
            return await RequestBody.ReadAsync(context.Request, limit, context.RequestAborted, _unproven)
                ?? throw new DeliveryRefusedException(
                    HttpStatusCode.RequestEntityTooLarge, realm.Name, RefusalReasons.TooLong, $"The body is longer than {limit} bytes.");
        }
        catch (BadHttpRequestException exception)
        {
            throw new DeliveryRefusedException(
                (HttpStatusCode)exception.StatusCode, realm.Name, RefusalReasons.NotReceived, exception.Message);
        }
    }

    private async Task<IResult> AcceptAsync(Delivery delivery, RealmOptions realm, HttpContext context, Arrival? arrival)
    {
        var hint = delivery.HintFor(realm.Name);
        if (arrival is not null)
        {
            (arrival.Realm, arrival.Format, arrival.Event, arrival.Hint) =
                (realm.Name, delivery.Format.ToString(), hint?.Cause ?? delivery.EventType, hint);
        }

        if (hint is null)
        {
            metrics.DeliveryIgnored(realm.Name);
            deliveries.End(arrival, context, DeliveryOutcomes.Ignored, delivery.WhyIgnored);
            return TypedResults.NoContent();
        }

        if (delivery.Admin is { } happened && EventRules.IsOverwrite(happened))
            lostEvents.Raise(realm.Name, EventRules.Overwritten);
        return await StoreAsync(hint, delivery.IsSentAfterCommit(realm), context, arrival);
    }

    private async Task<IResult> StoreAsync(UserHint hint, bool mayConverge, HttpContext context, Arrival? arrival)
    {
        bool isConverged;
        if (!gate.IsOpen)
            return NotStored(hint, context, "the schema is not ready yet", arrival);
        try
        {
            // Continues when the sender hangs up: a hint that is stored without an answer is at worst stored twice.
            isConverged = await TakeAsync(hint, mayConverge).WaitAsync(StoreTimeout, clock, CancellationToken.None);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return NotStored(hint, context, PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "), arrival);
        }

        if (Interlocked.Exchange(ref _storing, 1) == 0)
            LogStoringAgain();
        metrics.DeliveryAccepted(hint.Realm, isConverged);
        deliveries.End(arrival, context, isConverged ? DeliveryOutcomes.Converged : DeliveryOutcomes.Stored);
        if (logger.IsEnabled(LogLevel.Debug))
            LogTaken(hint, isConverged);
        return TypedResults.NoContent();
    }

    private async Task<bool> TakeAsync(UserHint hint, bool mayConverge)
    {
        if (mayConverge && converger is not null)
            return await converger.TakeAsync(hint);
        await writer.WriteAsync([hint], CancellationToken.None);
        return false;
    }

    private void LogTaken(UserHint hint, bool isConverged)
    {
        using var about = logger.About(hint.Realm, hint.UserId);
        if (isConverged)
            LogConverged(hint.Kind, hint.Cause);
        else
            LogStored(hint.Kind, hint.Cause);
    }

    private ProblemHttpResult NotStored(UserHint hint, HttpContext context, string reason, Arrival? arrival)
    {
        if (Interlocked.Exchange(ref _storing, 0) == 1)
            LogNotStoring(reason);
        metrics.DeliveryNotStored(hint.Realm);
        deliveries.End(arrival, context, DeliveryOutcomes.NotStored, reason);
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

    [LoggerMessage(EventId = 204, Level = LogLevel.Debug, Message = "The account of a webhook's user is converged: {Kind}, by {Cause}.")]
    private partial void LogConverged(HintKind kind, string cause);
}
