using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace KeycloakCreditBridge.Api.Problems;

/// <summary>Answers a failed request with a problem document. A passing failure is answered 503 with Retry-After.</summary>
internal sealed partial class ProblemFilter(SchemaGate gate, TimeProvider clock, ILogger<ProblemFilter> logger) : IEndpointFilter
{
    private readonly LogPace _keycloak = new(clock);
    private readonly LogPace _database = new(clock);
    private readonly LogPace _refused = new(clock);

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (!gate.IsOpen)
            return Unavailable(context, "The database is not ready yet: try again.");
        try
        {
            return await next(context);
        }
        catch (RequestRefusedException refusal)
        {
            return TypedResults.Problem(refusal.Message, statusCode: refusal.Status, extensions: refusal.More);
        }
        catch (KeycloakException exception)
        {
            if (_keycloak.IsDue())
                LogKeycloak(exception.Realm, exception.Message);
            return Unavailable(context, "Keycloak does not answer for this user now: try again.");
        }
        catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception))
        {
            if (_refused.IsDue())
                LogRefused(exception.MessageText);
            return TypedResults.Problem("A value of the request cannot be stored.", statusCode: StatusCodes.Status400BadRequest);
        }
        catch (NpgsqlException exception)
        {
            if (_database.IsDue())
                LogDatabase(exception, PrivilegeErrors.Describe(exception));
            return Unavailable(context, "The database does not answer now: try again, with the same Idempotency-Key if it has one.");
        }
    }

    private static ProblemHttpResult Unavailable(EndpointFilterInvocationContext context, string detail)
    {
        context.HttpContext.Response.Headers.RetryAfter = "5";
        return TypedResults.Problem(detail, statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    [LoggerMessage(EventId = 800, Level = LogLevel.Warning,
        Message = "Answered a request 503 because Keycloak did not answer for realm {Realm}: {Reason}")]
    private partial void LogKeycloak(string realm, string reason);

    [LoggerMessage(EventId = 801, Level = LogLevel.Error, Message = "Answered a request 503 because the database failed: {Reason}")]
    private partial void LogDatabase(Exception exception, string reason);

    [LoggerMessage(EventId = 802, Level = LogLevel.Warning,
        Message = "Answered a request 400 because the database refused its values: {Reason}")]
    private partial void LogRefused(string reason);
}
