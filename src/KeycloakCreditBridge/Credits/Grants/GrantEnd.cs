using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Storage.Migrations;

namespace KeycloakCreditBridge.Credits.Grants;

/// <summary>Reads the end and the priority that a request asks for.</summary>
internal sealed class GrantEnd(GrantClock grantClock, TimeProvider clock)
{
    private const int Years = 10;
    private const int GreatestPriority = 100;

    /// <summary>The field `expires_at`: an instant at most ten years ahead. One that is past ends the grant at once.</summary>
    public DateTimeOffset? Of(BodyFields fields)
    {
        var end = fields.OptionalInstant("expires_at");
        if (end > (grantClock.At ?? clock.GetUtcNow()).AddYears(Years))
            fields.Refuse("expires_at", $"is more than {Years} years ahead: choose an earlier end, or none");
        return end;
    }

    /// <summary>The field `priority`.</summary>
    public static int? PriorityOf(BodyFields fields) => fields.OptionalCount("priority", GreatestPriority);

    /// <summary>Carries out a change that may give the first end.</summary>
    /// <exception cref="RequestRefusedException">A replica runs that would spend ended credits.</exception>
    public static async Task<T> RespectedAsync<T>(Func<Task<T>> change)
    {
        try
        {
            return await change();
        }
        catch (OlderReplicasException exception)
        {
            throw new RequestRefusedException(StatusCodes.Status409Conflict, exception.Message);
        }
    }
}
